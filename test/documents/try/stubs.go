package main

// stubs is the table of all that the documents have typed and that does not run here. What is neither in it nor
// installed fails, and so does a use that it does not know.
//
//nolint:gochecknoglobals // a table
var stubs = []stub{
	{"make", "takes minutes; .ci/run runs it, or it is run by hand before a release", []verb{
		{"bench", "", dryRun},
		{"bench-scale", "", dryRun},
		{"microbench", "", dryRun},
		{"fuzz", "", dryRun},
		{"chaos", "", dryRun},
		{"crash", "", dryRun},
		{"failover", "", dryRun},
		{"soak", "", dryRun},
		{"e2e", "", dryRun},
		{"test", "", dryRun},
		{"check", "", dryRun},
		{"deb-check", "", dryRun},
		{"release", "", dryRun},
	}},
	{"make", "needs tools that are built elsewhere; .ci/run makes the same by make image-check and make deb-check", []verb{
		{"image", "", dryRun}, {"image-check", "", dryRun}, {"deb", "", dryRun}, {"client", "", dryRun}, {"manifests-check", "", dryRun},
	}},
	{"go", "takes minutes; the flags are held against the program's own", []verb{
		{"run ./bench", "-updater= -shapes= -cases= -systems= -runs= -quick", programFlags},
		{"run ./bench/scale", "-updater= -clusters=", programFlags},
		{"run ./test/realganeti", "-updater= -keep -only= -database=", programFlags},
	}},
	{"test/realganeti/on.sh", "needs the cluster that make e2e leaves behind", []verb{{"node1", "...", script}}},
	{"test/realganeti/down.sh", "needs the cluster that make e2e leaves behind", []verb{{"", "", script}}},
	{"apt", "installs what make deb-check installs in a Debian of its own; here make install puts the same files in place", []verb{
		{"install", "-y --no-install-recommends", install}, {"remove", "-y", nil}, {"purge", "-y", nil}, {"update", "", nil},
	}},
	{"systemctl", "systemd is not process 1; the unit's ExecStart is run as its User instead", []verb{
		{"enable", "--now", units},
		{"disable", "--now", units},
		{"start", "", units},
		{"stop", "", units},
		{"restart", "", units},
		{"reload", "", units},
		{"status", "--no-pager", units},
		{"is-active", "--quiet", units},
		{"list-timers", "", units},
		{"daemon-reload", "", units},
	}},
	{"journalctl", "systemd is not process 1; the log of the stub of systemctl is printed", []verb{
		{"", "-u= --unit= -f -n= -e --since= --no-pager -o=", journal},
	}},
	{"docker", "no engine runs here; the image is tried by make image-check, the composition by make manifests-check", []verb{
		{"build", "-f= --file= -t= --tag=", flagFiles},
		{"run", "--rm -d -v= -e= -p= --read-only --name= ...", nil},
		{"compose up", "-d --build --detach", composition},
		{"compose down", "-v --volumes", composition},
		{"compose ps", "", composition},
		{"compose logs", "-f --tail=", composition},
		{"compose exec", "-T ...", composition},
		{"compose restart", "", composition},
	}},
	{"skopeo", "no registry is there to copy to; make image-check reads the archive", []verb{{"copy", "--all", nil}, {"inspect", "--raw", nil}}},
	{"kubectl", "no cluster is there; make manifests-check holds the manifests against Kubernetes' own types", []verb{
		{"apply", "-f= -k= -n=", flagFiles},
		{"create secret generic", "-n= --from-file= --from-literal=", flagFiles},
		{"get", "-n= -o= -w -l=", nil},
		{"rollout status", "-n=", nil},
		{"rollout restart", "-n=", nil},
		{"logs", "-n= -f -l= --tail=", nil},
		{"exec", "-n= -it -i -t ...", nil},
		{"create job", "-n= --from=", nil},
		{"delete", "-n= -f= -k=", flagFiles},
		{"diff", "-f= -k= -n=", flagFiles},
	}},
	{"kustomize", "no cluster is there; make manifests-check builds the kustomizations", []verb{{"edit set image", "", here("kustomization.yaml")}, {"build", "", nil}}},
	{"gnt-cluster", "runs on a cluster's master; make e2e runs a real one", []verb{{"info", "", nil}, {"getmaster", "", nil}, {"master-failover", "", nil}}},
	{"gnt-instance", "runs on a cluster's master; make e2e runs a real one", []verb{
		{"list", "-o= --no-headers", nil},
		{"info", "", nil},
		{"add", "-t= -o= -n= --disk= -B= -H= --net= -s= --no-ip-check --no-name-check --no-start --no-install", nil},
		{"startup", "", nil},
		{"shutdown", "", nil},
		{"modify", "-B= -H=", nil},
		{"migrate", "-f", nil},
		{"rename", "", nil},
		{"remove", "-f --force", nil},
		{"add-tags", "", nil},
		{"remove-tags", "", nil},
	}},
}
