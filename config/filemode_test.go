package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// modes makes files with the given modes in a folder of their own, which it returns.
func modes(t *testing.T, files map[string]os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Repeat("x", 32)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestWarnings_FileModes: every file that holds a secret, decides who is trusted, or is the cache.
func TestWarnings_FileModes(t *testing.T) {
	t.Parallel()
	const every = "can be read by every user of this machine (mode 0644); run: chmod o-rwx DIR/"
	tests := []struct {
		name  string
		files map[string]os.FileMode
		keys  string
		want  []string
	}{
		{"password files", map[string]os.FileMode{"p": 0o644, "q": 0o640, "r": 0o600}, `
clusters:
  - {name: p, rapi: "https://p", username: u, password_file: DIR/p}
  - {name: q, rapi: "https://q", username: u, password_file: DIR/q}
  - {name: r, rapi: "https://r", username: u, password_file: DIR/r}
`, []string{"password_file of cluster p: DIR/p " + every + "p"}},
		{"a password that others may change", map[string]os.FileMode{"p": 0o602}, `
clusters: [{name: p, rapi: "https://p", username: u, password_file: DIR/p}]
`, []string{"password_file of cluster p: DIR/p can be changed by every user of this machine (mode 0602); run: chmod o-rwx DIR/p"}},
		{"the secret key", map[string]os.FileMode{"key": 0o644}, `
secret_key_file: DIR/key
clusters: [{name: p, rapi: "https://p"}]
`, []string{"secret_key_file: DIR/key " + every + "key"}},
		{"tokens may be read", map[string]os.FileMode{"tokens": 0o644}, `
api: {tokens_file: DIR/tokens}
clusters: [{name: p, rapi: "https://p"}]
`, nil},
		{"tokens may not be written", map[string]os.FileMode{"tokens": 0o646}, `
api: {tokens_file: DIR/tokens}
clusters: [{name: p, rapi: "https://p"}]
`, []string{"api.tokens_file: DIR/tokens can be changed by every user of this machine (mode 0646); run: chmod o-w DIR/tokens"}},
		{"authorities may be read and not be written", map[string]os.FileMode{"a": 0o644, "b": 0o666}, `
clusters: [{name: a, rapi: "https://a", tls: {ca_file: DIR/a}}, {name: b, rapi: "https://b", tls: {ca_file: DIR/b}}]
`, []string{"tls.ca_file of cluster b: DIR/b can be changed by every user of this machine (mode 0666); run: chmod o-w DIR/b"}},
		{"the database", map[string]os.FileMode{"db": 0o644, "db-wal": 0o644, "db-shm": 0o604}, `
database_url: sqlite:DIR/db
clusters: [{name: a, rapi: "https://a"}]
`, []string{
			"database_url: DIR/db " + every + "db", "database_url: DIR/db-wal " + every + "db-wal",
			"database_url: DIR/db-shm can be read by every user of this machine (mode 0604); run: chmod o-rwx DIR/db-shm",
		}},
		{"a database shared with its group", map[string]os.FileMode{"db": 0o640, "db-wal": 0o640}, `
database_url: sqlite:DIR/db
clusters: [{name: a, rapi: "https://a"}]
`, nil},
		{"old TLS", nil, `
clusters: [{name: a, rapi: "https://a", tls: {min_version: "1.1"}}, {name: b, rapi: "https://b", tls: {min_version: "1.3"}}]
`, []string{"INSECURE: cluster a may be asked over TLS 1.1 (tls.min_version), which whoever is on the way may break to read the password " +
			"and forge the answers; remove the key when its RAPI speaks TLS 1.2"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := modes(t, tc.files)
			c := load(t, options(t, strings.ReplaceAll(tc.keys, "DIR", dir)))
			var got []string
			for _, w := range c.Warnings() {
				got = append(got, strings.ReplaceAll(w, dir, "DIR"))
			}
			diff(t, tc.want, got)
		})
	}
}

func TestWarnings_DirectoryOfTheDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := options(t, "database_url: sqlite:"+dir+"/db\nclusters: [{name: a, rapi: 'https://a'}]\n")
	for mode, want := range map[os.FileMode]int{0o755: 0, 0o777: 1, 0o777 | os.ModeSticky: 0} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if w := load(t, o).Warnings(); len(w) != want {
			t.Errorf("%v: %q", mode, w)
		}
	}
}

// The configuration decides whom the updater trusts: nobody else may write it.
func TestWarnings_Configuration(t *testing.T) {
	t.Parallel()
	o := options(t, "clusters: [{name: a, rapi: 'https://a'}]\n")
	if err := os.Chmod(o.File, 0o606); err != nil {
		t.Fatal(err)
	}
	diff(t, []string{fmt.Sprintf("configuration: %s can be changed by every user of this machine (mode 0606); run: chmod o-w %s", o.File, o.File)},
		load(t, o).Warnings())
}

// The files of systemd's credentials belong to root and to the service alone.
func TestWarnings_Credentials(t *testing.T) {
	t.Parallel()
	dir := modes(t, map[string]os.FileMode{"secret_key": 0o444, "prod": 0o444})
	o := options(t, "clusters: [{name: a, rapi: 'https://a', username: u, password_file: "+dir+"/prod}]\n")
	if w := load(t, o).Warnings(); len(w) != 1 {
		t.Errorf("without systemd: %q", w)
	}
	o.Env = []string{"CREDENTIALS_DIRECTORY=" + dir}
	if w := load(t, o).Warnings(); len(w) != 0 {
		t.Errorf("with systemd: %q", w)
	}
}

// A group that is not the updater's own may be anybody.
func TestWarnings_ForeignGroup(t *testing.T) {
	t.Parallel()
	dir := modes(t, map[string]os.FileMode{"p": 0o640})
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	foreign := os.Getegid() + 1
	for _, g := range groups {
		if g != os.Getegid() {
			foreign = g
		}
	}
	if err := os.Chown(dir+"/p", -1, foreign); err != nil {
		// Only root, or a member of a second group, can make such a file: the rule itself is then tried by the others.
		t.Logf("no file of another group can be made here: %v", err)
		return
	}
	c := load(t, options(t, "clusters: [{name: a, rapi: 'https://a', username: u, password_file: "+dir+"/p}]\n"))
	diff(t, []string{fmt.Sprintf("password_file of cluster a: %s/p can be read by the group with the id %d (mode 0640); run: chmod g-rwx %s/p", dir, foreign, dir)},
		c.Warnings())
}
