package db_test

import (
	"net/url"
	"strings"
	"testing"

	"ganeticache/db"
)

//nolint:paralleltest // sets the environment
func TestOpen_HostLists(t *testing.T) {
	for _, name := range []string{"PGSSLMODE", "PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGTARGETSESSIONATTRS"} {
		t.Setenv(name, "")
	}
	type want struct{ host, port, sslmode, target string }
	for _, c := range []struct {
		url  string
		env  map[string]string
		want want
	}{
		{"postgres://u:p@a/d", nil, want{"", "", "verify-full", ""}},
		{"postgres://u:p@a:5432,b:5433/d", nil, want{"a,b", "5432,5433", "verify-full", "read-write"}},
		{"postgres://u:p@a,b:5433/d", nil, want{"a,b", "5432,5433", "verify-full", "read-write"}},
		{"postgres://a,b/d?sslmode=require", nil, want{"a,b", "", "require", "read-write"}},
		{"postgres://u@[2001:db8::1]:5432,[2001:db8::2]/d", nil, want{"2001:db8::1,2001:db8::2", "5432,5432", "verify-full", "read-write"}},
		{"postgres://u@a,b/d?target_session_attrs=primary", nil, want{"a,b", "", "verify-full", "primary"}},
		{"postgres://u@localhost:1,127.0.0.1:2/d", nil, want{"localhost,127.0.0.1", "1,2", "disable", "read-write"}},
		{"postgres://u@localhost,db.example.org/d", nil, want{"localhost,db.example.org", "", "verify-full", "read-write"}},
		{"postgres:///d?host=a,b&port=1,2", nil, want{"a,b", "1,2", "verify-full", "read-write"}},
		{"postgres:///d?host=/run/a,/run/b", nil, want{"/run/a,/run/b", "", "disable", "read-write"}},
		{"postgres://localhost/d?hostaddr=127.0.0.1,192.0.2.1", nil, want{"", "", "verify-full", "read-write"}},
		{"postgres:///d", map[string]string{"PGHOST": "a,b"}, want{"", "", "verify-full", "read-write"}},
		{"postgres://u@a,b/d", map[string]string{"PGTARGETSESSIONATTRS": "any"}, want{"a,b", "", "verify-full", ""}},
	} {
		t.Run(c.url, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			parsed := must(db.ParsePostgres(c.url))(t)
			q := must(url.Parse(must(db.PostgresDefaults(parsed))(t)))(t).Query()
			got := want{q.Get("host"), q.Get("port"), q.Get("sslmode"), q.Get("target_session_attrs")}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestOpen_BadHostLists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ url, want string }{
		{"postgres://u:hunter2@a:1,,b/d", "malformed"},
		{"postgres://u:hunter2@a:x,b/d", "malformed"},
		{"postgres://u:hunter2@a:1,b:2:3/d", "malformed"},
		{"postgres://u:hunter2@/d?host=/run/postgresql,db.example.org", "names a socket directory and another machine"},
		{"postgres://u:hunter2@a,b/d?port=1,2,3", "could not match 3 port"},
		{"postgres://u:hunter2@127.0.0.1:1,127.0.0.1:2/d", "u:xxxxx@127.0.0.1:1,127.0.0.1:2/d"},
		{"postgres://127.0.0.1:1/d?user=u&password=hunter2&sslpassword=hunter2", "password=xxxxx"},
	} {
		s, err := db.Open(t.Context(), c.url, db.Options{})
		if err == nil {
			t.Fatal("opened", s.Close())
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %q, want %q in it", err, c.want)
		}
	}
}
