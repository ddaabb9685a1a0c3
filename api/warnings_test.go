package api_test

import (
	"strings"
	"testing"

	"ganeticache/api"
	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// A value that finds nothing because there is no such thing is answered with a warning, that names the nearest one that the
// caller may see and nothing else.
func TestAPI_WarnsOfMisspeltValues(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		r := newRig(t, s, tokenFile(), nil)
		r.grant("group:ops", "lab", "")
		node := r.sim("lab").Nodes()[0].Name
		prodOnly := "prod-only.example"
		must(t, r.sim("prod").AddNode(prodOnly, r.sim("prod").Groups()[0].Name))
		r.refresh("prod")
		for _, tt := range []struct {
			token, path string
			want        string // "" for no warning
		}{
			{"admin-token", "/v1/vms", ""},
			{"admin-token", "/v1/vms?status=running", ""},
			{"admin-token", "/v1/vms?status=USER_down", ""},
			{"admin-token", "/v1/vms?name=nobody", ""},
			{"admin-token", "/v1/vms?tag=nobody", ""},
			{"admin-token", "/v1/vms?status=runing", `status: there is no "runing"; did you mean "running"?`}, //nolint:misspell // it is about that
			{"admin-token", "/v1/vms?status=runing&status=running", `did you mean "running"?`},                //nolint:misspell // it is about that
			{"admin-token", "/v1/sums?status=eror", `did you mean "error"?`},
			{"admin-token", "/v1/vms?ip=999.1.1.1", "ip: "},
			{"admin-token", "/v1/vms?ip=198.51.100.77", ""},
			{"admin-token", "/v1/vms?mac=aa:bb", "mac: "},
			{"admin-token", "/v1/vms?node=" + node + "x", `did you mean "` + node + `"?`},
			{"admin-token", "/v1/vms?node=" + node, ""},
			{"admin-token", "/v1/vms?primary_node=" + prodOnly, ""},
			{"admin-token", "/v1/vms?os=no-such-thing-at-all", "os: there is no"},
			{"admin-token", "/v1/vms?disk_template=drdb", `did you mean "drbd"?`},
			{"admin-token", "/v1/vms?network=no-such-network", "network: there is no"},
			{"admin-token", "/v1/vms?cluster=labb", `cluster: there is no "labb"; did you mean "lab"?`},
			{"admin-token", "/v1/nodes?role=ofline", `did you mean "offline"?`},
			{"admin-token", "/v1/nodes?role=drained", ""},
			{"admin-token", "/v1/nodes?group=no-such", "group: there is no"},
			{"admin-token", "/v1/groups?node=" + node + "x", `did you mean "` + node + `"?`},
			{"admin-token", "/v1/jobs?status=sucess", `did you mean "success"?`}, //nolint:misspell // it is about that
			// What ops may not see is never suggested, and is not there.
			{"ops-token", "/v1/vms?node=" + prodOnly, "node: there is no"},
			{"ops-token", "/v1/vms?node=" + prodOnly + "x", "node: there is no"},
			{"ops-token", "/v1/vms?cluster=prod", "cluster: there is no"},
			{"ops-token", "/v1/vms?cluster=prd", "cluster: there is no"},
			{"ops-token", "/v1/vms?node=" + node + "x", `did you mean`},
		} {
			got := strings.Join(decode[api.List[api.Object]](r.as(tt.token, tt.path)).Warnings, "; ")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%s %s warns %q, want %q", tt.token, tt.path, got, tt.want)
			}
			if tt.token == "ops-token" && strings.Contains(got, `mean "prod`) {
				t.Errorf("%s tells of what ops may not see: %s", tt.path, got)
			}
		}
	})
}

func TestAPI_SaysThatJobsAreNotCached(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	if got := decode[api.Jobs](r.get("/v1/jobs")); len(got.Warnings) != 0 {
		t.Errorf("jobs that are cached: %+v", got.Warnings)
	}
	if _, err := r.cache.Writer().ExecContext(t.Context(), "DELETE FROM freshness WHERE kind = 'job'"); err != nil {
		t.Fatal(err)
	}
	if got := decode[api.Jobs](r.get("/v1/jobs")); len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "jobs are not cached") {
		t.Errorf("jobs that are not cached: %q", got.Warnings)
	}
}
