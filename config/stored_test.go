package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/config"
	"ganeticache/ganeti"
)

func TestConfig_Adopt(t *testing.T) {
	t.Parallel()
	c := load(t, options(t, "schedule: '@every 2m'\nschedules: {network: off}\ntimeouts: {total: 50s}\nmax_body: 1MiB\nrefresh_budget: 5%\n"))
	asked := 0
	cl, err := c.Adopt(config.Stored{
		Name: "prod", RAPI: "https://rapi.example.org", Username: "gwm", TLS: config.TLS{PinSHA256: pin}, Schedule: "@every 7m",
		Password: func() (ganeti.Secret, error) { asked++; return "sealed-away", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Schedules{VM: "@every 7m", Node: "@every 7m", Group: "@every 15m"}
	if diff := cmp.Diff(want, cl.Schedules); diff != "" {
		t.Errorf("schedules (-want +got):\n%s", diff)
	}
	if cl.RefreshBudget != 0.05 {
		t.Errorf("refresh_budget = %g, want the configuration's 0.05", cl.RefreshBudget)
	}
	s, err := cl.Settings()
	if err != nil || s.Password != "sealed-away" || s.Timeouts != c.Timeouts.Ganeti() || s.MaxBody != 1<<20 {
		t.Errorf("settings %+v, %v", s, err)
	}
	if _, err := cl.Settings(); err != nil || asked != 2 || !cl.Stored || !cl.Enabled {
		t.Errorf("the password was asked for %d times, want 2; %+v", asked, cl)
	}
}

func TestConfig_Adopt_Refuses(t *testing.T) {
	t.Parallel()
	c := load(t, options(t, ""))
	good := func(edit func(*config.Stored)) config.Stored {
		s := config.Stored{Name: "prod", RAPI: "https://rapi", Username: "gwm", Password: func() (ganeti.Secret, error) { return "pw", nil }}
		edit(&s)
		return s
	}
	for _, tt := range []struct {
		name   string
		stored config.Stored
		want   string
	}{
		{"no name", good(func(s *config.Stored) { s.Name = "" }), "name:"},
		{"SQL in the name", good(func(s *config.Stored) { s.Name = "x'; DROP TABLE clusters; --" }), "name:"},
		{"HTML in the name", good(func(s *config.Stored) { s.Name = "<script>alert(1)</script>" }), "name:"},
		{"a path in the name", good(func(s *config.Stored) { s.Name = "../../etc/passwd" }), "name:"},
		{"a line break in the name", good(func(s *config.Stored) { s.Name = "a\nb" }), "name:"},
		{"a very long name", good(func(s *config.Stored) { s.Name = strings.Repeat("x", 64) }), "name:"},
		{"no TLS", good(func(s *config.Stored) { s.RAPI = "http://rapi" }), "rapi:"},
		{"an address twice", good(func(s *config.Stored) { s.RAPI = "https://rapi,https://RAPI" }), "rapi:"},
		{"a password in the address", good(func(s *config.Stored) { s.RAPI = "https://u:hunter2@rapi" }), "rapi:"},
		{"a pin that is none", good(func(s *config.Stored) { s.TLS.PinSHA256 = "xx" }), "pin:"},
		{"a schedule that is none", good(func(s *config.Stored) { s.Schedule = "often" }), "schedule:"},
		{"no password", good(func(s *config.Stored) { s.Password = nil }), "no password"},
		{"a file that nothing vouches for", good(func(s *config.Stored) { s.PasswordFile, s.Password = "/pw", nil }), "nothing vouches"},
		{"an unchecked certificate", good(func(s *config.Stored) { s.TLS.InsecureSkipVerify = true }), "only the configuration file"},
		{"a version of TLS that is none", good(func(s *config.Stored) { s.TLS.MinVersion = "1.4" }), "tls_min_version"},
		{"no user", good(func(s *config.Stored) { s.Username = "" }), "no username"},
		{"two ways to check", good(func(s *config.Stored) { s.TLS = config.TLS{PinSHA256: pin, InsecureSkipVerify: true} }), "tls"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cl, err := c.Adopt(tt.stored)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("got %v, want something about %q", err, tt.want)
			}
			if _, settingsErr := cl.Settings(); !errors.Is(settingsErr, err) {
				t.Errorf("its settings say %v", settingsErr)
			}
			if _, err := config.ParseSchedule(cl.Schedules.VM); err != nil {
				t.Errorf("its schedule %q cannot be used: %v", cl.Schedules.VM, err)
			}
		})
	}
}

// systemd's LoadCredential= puts the key where nobody else can read it; no key of the configuration is needed then.
func TestConfig_SecretKeyOfSystemd(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	o := options(t, "")
	o.Env = []string{"CREDENTIALS_DIRECTORY=" + folder}
	if c := load(t, o); c.SecretKeyFile != "" {
		t.Errorf("there is no such credential, but the key is to come from %s", c.SecretKeyFile)
	}
	file := filepath.Join(folder, "secret_key")
	want := strings.Repeat("k", 64)
	if err := os.WriteFile(file, []byte(want+"\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	if key, err := load(t, o).SecretKey(); err != nil || string(key) != want {
		t.Errorf("got %q, %v", key, err)
	}
	o = options(t, "secret_key_file: /own\n")
	o.Env = []string{"CREDENTIALS_DIRECTORY=" + folder}
	if c := load(t, o); c.SecretKeyFile != "/own" {
		t.Errorf("the key is to come from %s, want /own", c.SecretKeyFile)
	}
}
