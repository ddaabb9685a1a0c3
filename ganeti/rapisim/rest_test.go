package rapisim_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti/rapisim"
)

// twins are a cluster and its compact equal, both behind servers.
func twins(tb testing.TB, o rapisim.Options) (usual, compact *rapisim.Server) {
	tb.Helper()
	usual = serve(tb, o)
	o.Compact = true
	return usual, serve(tb, o)
}

func sameAnswers(tb testing.TB, usual, compact *rapisim.Server, paths ...string) {
	tb.Helper()
	for _, path := range paths {
		head, body := ask(tb, usual, http.MethodGet, path, "gwm", "secret")
		gotHead, gotBody := ask(tb, compact, http.MethodGet, path, "gwm", "secret")
		if !bytes.Equal(body, gotBody) {
			tb.Fatalf("%s: %d bytes came, want %d, or others", path, len(gotBody), len(body))
		}
		lines, gotLines := bytes.Split(head, []byte("\r\n")), bytes.Split(gotHead, []byte("\r\n"))
		for i := range lines {
			if !bytes.HasPrefix(lines[i], []byte("Date: ")) && !bytes.Equal(lines[i], gotLines[i]) {
				tb.Errorf("%s: header %q, want %q", path, gotLines[i], lines[i])
			}
		}
	}
}

// TestCompact_SameAnswers: nobody can tell a compact cluster from another.
func TestCompact_SameAnswers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		o := rapisim.Options{Seed: seed, VMs: 700, KVMShare: 0.6, DRBDShare: 0.2, Jobs: 30}
		usual, compact := twins(t, o)
		name := usual.Cluster().Instances()[100].Name
		paths := []string{
			"/2/info", bulk, "/2/nodes?bulk=1", "/2/groups?bulk=1", "/2/networks?bulk=1", "/2/jobs?bulk=1",
			"/2/instances", "/2/instances/" + name, "/2/instances/nope", "/2/nodes?bulk=x", "/2/jobs/7", "/2/tags", "/version",
		}
		sameAnswers(t, usual, compact, paths...)
		sameAnswers(t, usual, compact, paths...)
		if diff := cmp.Diff(usual.Cluster().Instances(), compact.Cluster().Instances()); diff != "" {
			t.Errorf("truth (-usual +compact):\n%s", diff)
		}
		if a, b := usual.Cluster(), compact.Cluster(); a.UUID() != b.UUID() || a.Len() != b.Len() || a.Master() != b.Master() {
			t.Errorf("%s with %d instances, want %s with %d", b.UUID(), b.Len(), a.UUID(), a.Len())
		}
		// Changes come to the same, too, and stay.
		if diff := cmp.Diff(usual.Cluster().Churn(50), compact.Cluster().Churn(50)); diff != "" {
			t.Errorf("events (-usual +compact):\n%s", diff)
		}
		sameAnswers(t, usual, compact, paths...)
	}
}

// TestCompact_EmptyAndTiny: texts of less than a block, and none.
func TestCompact_EmptyAndTiny(t *testing.T) {
	t.Parallel()
	for _, vms := range []int{-1, 1} {
		usual, compact := twins(t, rapisim.Options{VMs: vms, Networks: -1})
		sameAnswers(t, usual, compact, bulk, "/2/networks?bulk=1", "/2/jobs?bulk=1")
	}
}

// TestCompact_Faults: they strike unpacked answers as they do others.
func TestCompact_Faults(t *testing.T) {
	t.Parallel()
	usual, compact := twins(t, rapisim.Options{VMs: 300, KVMShare: 1})
	for name, fault := range map[string]rapisim.Fault{
		"garbage": rapisim.Garbage(), "cut": rapisim.CutBody(400_000), "length": rapisim.WrongLength(3),
		"trickle": rapisim.Trickle(50_000_000), "status": rapisim.Status(http.StatusBadGateway),
	} {
		usual.Hurt(fault)
		compact.Hurt(fault)
		t.Log(name)
		sameAnswers(t, usual, compact, bulk)
		usual.Heal()
		compact.Heal()
	}
	sameAnswers(t, usual, compact, bulk)
}
