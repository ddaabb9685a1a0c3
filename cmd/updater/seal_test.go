package main_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	updater "ganeticache/cmd/updater"
	"ganeticache/db"
	"ganeticache/ganeti/rapisim"
	"ganeticache/secret"
)

// vault is a database with one cluster, whose password is sealed or in a file, and somebody who can write to it.
type vault struct {
	t      *testing.T
	dir    string
	sim    *rapisim.Server
	evil   *httptest.Server
	stolen atomic.Int64
}

const vaultPassword = "kaninchen-7f3a9c"

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{t: t, dir: t.TempDir()}
	sim, err := rapisim.NewServer(rapisim.NewCluster(rapisim.Options{Name: "a.example", VMs: 3, Username: "gwm", Password: vaultPassword}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	v.sim = sim
	v.evil = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			v.stolen.Add(1)
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(v.evil.Close)
	for name, text := range map[string]string{
		"password": vaultPassword + "\n", "key": strings.Repeat("k", 40), "new": strings.Repeat("n", 40),
		"config.yaml": fmt.Sprintf("listen: ''\ndatabase_url: sqlite:%[1]s/cache.db\nsecret_key_file: %[1]s/key\n", v.dir),
	} {
		if err := os.WriteFile(filepath.Join(v.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func (v *vault) run(args ...string) (int, string) {
	v.t.Helper()
	var out bytes.Buffer
	code := updater.Execute(v.t.Context(), append(args, "--config", filepath.Join(v.dir, "config.yaml")), nil, &out, &out)
	if strings.Contains(out.String(), vaultPassword) {
		v.t.Errorf("updater %q prints the password", args)
	}
	return code, out.String()
}

// must runs a command that has to end well.
func (v *vault) must(args ...string) string {
	v.t.Helper()
	code, out := v.run(args...)
	if code != 0 {
		v.t.Fatalf("updater %q: exit code %d\n%s", args, code, out)
	}
	return out
}

// sql is what somebody does who can write to the database.
func (v *vault) sql(statement string, args ...any) {
	v.t.Helper()
	s, err := db.Open(v.t.Context(), "sqlite:"+filepath.Join(v.dir, "cache.db"), db.Options{})
	if err != nil {
		v.t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Writer().ExecContext(v.t.Context(), statement, args...); err != nil {
		v.t.Fatal(err)
	}
}

func (v *vault) add(mode ...string) {
	v.t.Helper()
	v.must(append([]string{
		"clusters", "add", "a", "--rapi", v.sim.URL(), "--username", "gwm", "--password-file",
		filepath.Join(v.dir, "password"), "--pin", v.sim.Pin(),
	}, mode...)...)
	v.must("--once")
}

// TestSeals_NoPasswordGoesElsewhere: whoever may UPDATE clusters gets no password, whatever column is changed.
func TestSeals_NoPasswordGoesElsewhere(t *testing.T) {
	t.Parallel()
	for mode, flags := range map[string][]string{"sealed": {"--seal"}, "file": nil} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			v := newVault(t)
			v.add(flags...)
			pin := fmt.Sprintf("%x", sum(v.evil.Certificate().Raw))
			v.sql("CREATE TABLE before AS SELECT * FROM clusters")
			for _, set := range []string{
				"rapi_url = '" + v.evil.URL + "', tls_pin_sha256 = '" + pin + "'", "rapi_url = '" + v.evil.URL + "', tls_pin_sha256 = '', tls_insecure = true",
				"rapi_url = rapi_url || ',' || '" + v.evil.URL + "'", "tls_pin_sha256 = ''", "rapi_username = 'other'", "tls_server_name = 'x'",
				"tls_min_version = '1.0'", "tls_ca_file = '/etc/passwd', tls_pin_sha256 = ''", "tls_insecure = true",
				"rapi_url = '" + v.evil.URL + "', tls_pin_sha256 = '" + pin + "', password_sealed = '', settings_sealed = '', password_file = '" + v.dir + "/key'",
				"rapi_url = '" + v.evil.URL + "', tls_pin_sha256 = '" + pin + "', password_sealed = '', settings_sealed = '', password_file = '" + v.dir + "/password'",
				"rapi_url = '" + v.evil.URL + "', tls_pin_sha256 = '" + pin + "', password_sealed = '', settings_sealed = '', password_file = ''",
				"id = 77, rapi_url = rapi_url",
			} {
				v.sql("UPDATE clusters SET " + set)
				v.sql("UPDATE cluster_revision SET old_seals_ended = false")
				code, out := v.run("--once")
				if n := v.stolen.Load(); n != 0 || code == 0 {
					t.Errorf("SET %s: exit code %d, the password was sent elsewhere %d times\n%s", set, code, n, out)
				}
				if code, _ := v.run("check"); code == 0 {
					t.Errorf("SET %s: check finds nothing", set)
				}
				v.sql("DELETE FROM clusters")
				v.sql("INSERT INTO clusters SELECT * FROM before")
				v.stolen.Store(0)
			}
			v.must("--once")
			// The command says which column it is, and how to put it back.
			v.sql("UPDATE clusters SET rapi_url = ?", v.evil.URL)
			if _, out := v.run("--once"); !strings.Contains(out, "clusters.rapi_url was changed") || !strings.Contains(out, "updater clusters set a") {
				t.Errorf("it says: %s", out)
			}
			v.must("clusters", "set", "a")
			v.must("--once")
		})
	}
}

// TestSeals_Upgrade: what an earlier version has sealed is refreshed as it was, and only so, until it is sealed anew.
func TestSeals_Upgrade(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"sealed", "file"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			v := newVault(t)
			v.add("--seal")
			key, err := secret.NewKey([]byte(strings.Repeat("k", 40)))
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := key.SealPassword("a", vaultPassword)
			if err != nil {
				t.Fatal(err)
			}
			file := ""
			if mode == "file" {
				sealed, file = "", filepath.Join(v.dir, "password")
			}
			old := func(rapi string) {
				v.sql("UPDATE clusters SET rapi_url = ?, password_sealed = ?, password_file = ?, settings_sealed = ''", rapi, sealed, file)
			}
			old(v.sim.URL())
			v.sql("UPDATE cluster_revision SET old_seals_ended = false")
			if out := v.must("check"); !strings.Contains(out, "cluster a: its address and certificate are not sealed") {
				t.Errorf("check says: %s", out)
			}
			v.must("--once")

			old(v.evil.URL)
			v.sql("UPDATE clusters SET tls_pin_sha256 = ?", fmt.Sprintf("%x", sum(v.evil.Certificate().Raw)))
			if code, out := v.run("--once"); code == 0 || v.stolen.Load() != 0 || !strings.Contains(out, "clusters reseal") {
				t.Errorf("an old seal went elsewhere %d times: %s", v.stolen.Load(), out)
			}
			if code, out := v.run("clusters", "reseal", "--yes"); code == 0 || !strings.Contains(out, "ATTENTION") || !strings.Contains(out, v.evil.URL) {
				t.Errorf("what was changed is sealed unseen: %s", out)
			}
			old(v.sim.URL())
			v.sql("UPDATE clusters SET tls_pin_sha256 = ?", v.sim.Pin())
			if code, out := v.run("clusters", "reseal"); code == 0 || !strings.Contains(out, v.sim.URL()) || !strings.Contains(out, v.sim.Pin()) {
				t.Errorf("nobody answered, and it was sealed: %s", out)
			}
			v.must("clusters", "reseal", "--yes")
			v.must("--once")
			old(v.sim.URL())
			if code, out := v.run("--once"); code == 0 || !strings.Contains(out, "no longer accepted") {
				t.Errorf("an old seal is accepted: %s", out)
			}
		})
	}
}

func sum(b []byte) [32]byte { return sha256.Sum256(b) }
