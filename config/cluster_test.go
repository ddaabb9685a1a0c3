package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ganeticache/config"
	"ganeticache/ganeti"
)

func TestCluster_Settings(t *testing.T) {
	t.Parallel()
	file := write(t, "password", " hunter 2 \r\n")
	o := options(t, `
clusters:
  - name: prod
    rapi: https://rapi
    username: gwm
    password_file: `+file+`
    tls: {pin_sha256: `+pin+`}
    timeouts: {total: 90s}
    max_body: 1MiB
`)
	got, err := load(t, o).Clusters[0].Settings()
	if err != nil {
		t.Fatal(err)
	}
	want := ganeti.Settings{
		URL: "https://rapi", Username: "gwm", Password: " hunter 2 ", PasswordSource: file, TLS: ganeti.TLS{PinSHA256: pin}, MaxBody: 1 << 20,
		Timeouts: ganeti.Timeouts{Connect: 5 * time.Second, TLSHandshake: 15 * time.Second, FirstByte: time.Minute, Total: 90 * time.Second, MinThroughput: 1024},
	}
	if got != want { // not diff: a Secret prints the same whatever it holds
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCluster_SettingsReadThePasswordEachTime(t *testing.T) {
	t.Parallel()
	file := write(t, "password", "old\n")
	cluster := config.Cluster{Name: "prod", RAPI: "https://rapi", Username: "gwm", PasswordFile: file}
	for _, want := range []string{"old", "new"} {
		if err := os.WriteFile(file, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := cluster.Settings()
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Password.Reveal(); got != want {
			t.Errorf("password %q, want %q", got, want)
		}
	}
}

func TestCluster_SettingsFromTheEnvironment(t *testing.T) {
	t.Parallel()
	o := options(t, "clusters: [{name: prod, rapi: 'https://rapi', username: gwm, password_env: UPDATER_PROD_PASSWORD}]")
	o.Env = []string{"UPDATER_PROD_PASSWORD=hunter2"}
	c := load(t, o)
	s, err := c.Clusters[0].Settings()
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Password.Reveal(); got != "hunter2" {
		t.Errorf("password %q, want that of the variable", got)
	}
	if text := fmt.Sprintf("%+v %#v %+v", c, c, s); strings.Contains(text, "hunter2") {
		t.Errorf("a printed configuration shows the password: %s", text)
	}
}

func TestCluster_SettingsErrors(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name string
		c    config.Cluster
		want string
	}{
		{"missing", config.Cluster{PasswordFile: folder + "/none"}, "password_file: DIR/none does not exist; create it or correct the path"},
		{"empty", config.Cluster{PasswordFile: file("empty", "\n")}, "password_file: DIR/empty is empty; write the password into it"},
		{"lines", config.Cluster{PasswordFile: file("lines", "hunter2\nb\n")}, "password_file: DIR/lines has several lines; it must hold the password and nothing else"},
		{"UTF-16", config.Cluster{PasswordFile: file("wide", "\xff\xfeh\x002\x00\n\x00")}, "password_file: DIR/wide holds NUL, so it is in UTF-16 (as some programs of Windows write) " +
			"or no text at all; save it as UTF-8 without a byte order mark"},
		{"huge", config.Cluster{PasswordFile: file("huge", strings.Repeat("x", 70_000))}, "password_file: DIR/huge is larger than 64 KiB; it is probably the wrong file"},
		{"folder", config.Cluster{PasswordFile: folder}, "password_file: DIR is a directory; name a file"},
		{"no variable", config.Cluster{PasswordEnv: "GNT_NONE"}, "password_env: the environment has no variable GNT_NONE; set it, or use password_file"},
		{"both", config.Cluster{PasswordFile: "a", PasswordEnv: "B"}, "password_file and password_env are both set; keep one"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.c.Name, tc.c.RAPI, tc.c.Username = "prod", "https://rapi", "gwm"
			_, err := tc.c.Settings()
			if err == nil {
				t.Fatal("no error")
			}
			diff(t, "reading the password of cluster prod: "+tc.want, strings.ReplaceAll(err.Error(), folder, "DIR"))
			if missing := tc.name == "missing"; errors.Is(err, fs.ErrNotExist) != missing {
				t.Errorf("errors.Is(err, fs.ErrNotExist) = %t, want %t", !missing, missing)
			}
		})
	}
}

func TestCluster_SettingsEmptyVariable(t *testing.T) {
	t.Parallel()
	o := options(t, "")
	o.Env = []string{"UPDATER_RAPI=https://rapi", "UPDATER_RAPI_USERNAME=gwm", "UPDATER_RAPI_PASSWORD="}
	_, err := load(t, o).Clusters[0].Settings()
	if err == nil {
		t.Fatal("no error")
	}
	diff(t, "reading the password of cluster rapi: password_env: the environment variable UPDATER_RAPI_PASSWORD is empty; put the password into it", err.Error())
}

func TestConfig_SecretKey(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("k", 32)
	tests := []struct {
		name, path, want, err string
	}{
		{"none", "", "", ""},
		{"good", write(t, "key", good+"\n"), good, ""},
		{"short", write(t, "key", "short\n"), "", "holds 5 bytes, at least 32 are needed; make one with: openssl rand -hex 32"},
		{"missing", "/does/not/exist", "", "does not exist"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			key, err := (&config.Config{SecretKeyFile: tc.path}).SecretKey()
			if string(key) != tc.want {
				t.Errorf("key %q, want %q", key, tc.want)
			}
			if got := fmt.Sprint(err); tc.err == "" && err != nil || !strings.Contains(got, tc.err) {
				t.Errorf("error %q, want %q", got, tc.err)
			}
		})
	}
}
