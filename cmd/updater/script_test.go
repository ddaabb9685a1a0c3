package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	updater "ganeticache/cmd/updater"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"updater": func() { os.Exit(updater.Run()) }, "get": get})
}

// get PORT TOKEN prints the status of the list of VMs.
func get() {
	if err := status(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func status(port, token string) error {
	req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+port+"/v1/vms?cache=only", http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = fmt.Fprintln(os.Stdout, resp.StatusCode)
	return err
}

// password is that of the simulated clusters; no script's output may hold it.
const password = "kaninchen-7f3a9c"

// TestScripts runs the command as a person does. Each script has two simulated clusters, $RAPI1 and $RAPI2 with the pins
// $PIN1 and $PIN2, a password file, an empty PostgreSQL database $POSTGRES, and the commands of scriptCommands.
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			t.Parallel()
			runScript(t, script)
		})
	}
}

func runScript(t *testing.T, script string) {
	t.Helper()
	farm, err := rapisim.NewFarm(2, rapisim.Options{Name: "sim.example", VMs: 12, Username: "gwm", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(farm.Close)
	var postgres string
	if text, err := os.ReadFile(script); err != nil {
		t.Fatal(err)
	} else if strings.Contains(string(text), "$POSTGRES") {
		postgres = dbtest.PostgresURL(t)
	}
	testscript.Run(t, testscript.Params{
		Files:               []string{script},
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			for i, s := range farm.Servers() {
				n := string(rune('1' + i))
				env.Setenv("RAPI"+n, s.URL())
				env.Setenv("ADDR"+n, s.Addr())
				env.Setenv("PIN"+n, s.Pin())
			}
			env.Setenv("POSTGRES", postgres)
			if err := os.WriteFile(filepath.Join(env.WorkDir, "password"), []byte(password+"\n"), 0o600); err != nil {
				return err
			}
			config := strings.NewReplacer("RAPI1", env.Getenv("RAPI1"), "RAPI2", env.Getenv("RAPI2"),
				"PIN1", env.Getenv("PIN1"), "PIN2", env.Getenv("PIN2")).Replace(twoClusters)
			return os.WriteFile(filepath.Join(env.WorkDir, "config.yaml"), []byte(config), 0o600)
		},
		Cmds: scriptCommands(farm),
	})
}

const twoClusters = `database_url: sqlite:cache.db
listen: ""
clusters:
  - name: one
    rapi: RAPI1
    username: gwm
    password_file: password
    tls: {pin_sha256: "PIN1"}
  - name: two
    rapi: RAPI2
    username: gwm
    password_file: password
    tls: {pin_sha256: "PIN2"}
`

// scriptCommands are the scripts' own: "hurt N 401" makes simulated cluster N answer so, "heal N" ends it, "remove N" and
// "create N NAME" change its VMs, "tag N NAME TAG…" gives one new tags, "nosecret [FILE…]" fails if the last output or one
// of the files holds the password.
func scriptCommands(farm *rapisim.Farm) map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	server := func(ts *testscript.TestScript, args []string) *rapisim.Server {
		if len(args) == 0 || args[0] != "1" && args[0] != "2" {
			ts.Fatalf("want the number of a cluster, 1 or 2")
		}
		return farm.Servers()[args[0][0]-'1']
	}
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"hurt": func(ts *testscript.TestScript, _ bool, args []string) {
			faults := map[string]rapisim.Fault{
				"401": rapisim.Status(401), "502": rapisim.Status(502), "refuse": rapisim.Refuse(),
				"html": rapisim.HTML(200), "empty": rapisim.EmptyList().On("/2/instances"), "hang": rapisim.Hang(),
				"broken": rapisim.Body([]byte(`[{"uuid": "u1", "name": 7}]`)).On("/2/instances"),
			}
			f, ok := faults[args[1]]
			if !ok {
				ts.Fatalf("unknown fault %s", args[1])
			}
			server(ts, args).Hurt(f)
		},
		"heal": func(ts *testscript.TestScript, _ bool, args []string) { server(ts, args).Heal() },
		"remove": func(ts *testscript.TestScript, _ bool, args []string) {
			sim := server(ts, args).Cluster()
			ts.Check(sim.Remove(sim.Instances()[0].Name))
		},
		"create": func(ts *testscript.TestScript, _ bool, args []string) {
			_, err := server(ts, args).Cluster().Create(args[1])
			ts.Check(err)
		},
		"tag": func(ts *testscript.TestScript, _ bool, args []string) {
			ts.Check(server(ts, args).Cluster().Retag(args[1], args[2:]...))
		},
		"nosecret": func(ts *testscript.TestScript, _ bool, files []string) {
			for _, file := range append([]string{"stdout", "stderr"}, files...) {
				if strings.Contains(ts.ReadFile(file), password) {
					ts.Fatalf("%s holds the password", file)
				}
			}
		},
	}
}
