package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"ganeticache/api"
	"ganeticache/db"
	"ganeticache/db/dbtest"
)

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// tokenFile has four tokens; a token's text is its name and "-token".
func tokenFile() string {
	return fmt.Sprintf(`tokens:
  - {name: admin, sha256: %s, scope: admin}
  - {name: alice, sha256: %s, scope: read, subjects: ["user:alice"]}
  - {name: ops, sha256: %s, scope: refresh, subjects: ["group:ops", "user:olaf"]}
  - {name: nobody, sha256: %s, scope: refresh, subjects: ["user:nobody"]}
`, hashOf("admin-token"), hashOf("alice-token"), hashOf("ops-token"), hashOf("nobody-token"))
}

// grant gives a subject a permission on a cluster, or on one of its VMs.
func (r *rig) grant(subject, cluster, vm string) {
	r.t.Helper()
	_, err := r.cache.Grant(r.t.Context(), db.Grant{Subject: subject, Permission: "view", Cluster: cluster, VM: vm})
	must(r.t, err)
}

func TestAPI_AsksForTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), tokenFile(), nil)
	for _, headers := range [][]string{
		nil,
		{"Authorization", "Bearer wrong"},
		{"Authorization", "Bearer "},
		{"Authorization", "Basic YWRtaW46YWRtaW4="},
		{"Authorization", "admin-token"},
		{"Authorization", "Bearer " + hashOf("admin-token")},
		{"Authorization", "Bearer admin-token x"},
		{"Authorization", "Bearer " + strings.Repeat("x", 5000)},
		{"Authorization", "Bearer <script>\u009b31m"},
	} {
		a := r.get("/v1/vms", headers...).problem(401, "token")
		if a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%v: 401 without WWW-Authenticate", headers)
		}
	}
	r.get("/v1/vms?token=admin-token").problem(401, "token")
	r.as("admin-token", "/v1/vms").want(200)
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/v1/openapi.json", "/v1/openapi-3.0.json"} {
		r.get(path).want(200)
	}
	for _, secret := range []string{"admin-token", hashOf("admin-token"), "wrong"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	r.cleanLog()
}

func TestAPI_ShowsWhatIsPermitted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		r := newRig(t, s, tokenFile(), nil)
		mine, other := r.vmName("prod", 2), r.vmName("prod", 3)
		r.grant("user:alice", "prod", mine)
		r.grant("group:ops", "lab", "")
		r.cache.err = fmt.Errorf("prod: 192.0.2.1: %s is broken", other)

		if diff := cmp.Diff([]string{mine}, names(r.as("alice-token", "/v1/vms?deleted=with"))); diff != "" {
			t.Errorf("alice's VMs (-want +got):\n%s", diff)
		}
		r.as("alice-token", "/v1/vms/prod/"+mine).want(200)
		hidden := r.as("alice-token", "/v1/vms/prod/"+other).problem(404, "")
		if absent := r.as("alice-token", "/v1/vms/prod/absent.example").problem(404, ""); absent.body != hidden.body {
			t.Errorf("a hidden VM is told from an absent one: %s against %s", hidden.body, absent.body)
		}
		for path, want := range map[string]int{
			"/v1/vms?name=" + other: 0, "/v1/vms?cluster=lab": 0, "/v1/vms?cluster=absent": 0, "/v1/nodes": 0, "/v1/groups": 0,
			"/v1/networks": 0, "/v1/jobs": 0, "/v1/changes": 1, "/v1/changes?object=" + other: 0, "/v1/clusters": 1, "/v1/sums": 1,
		} {
			a := r.as("alice-token", path)
			if n := len(decode[struct{ Items []any }](a).Items); n != want {
				t.Errorf("alice sees %d items at %s, want %d: %s", n, path, want, a.body)
			}
			// Quoted: the cursor of a page is random, and may hold those three letters.
			for _, secret := range []string{other, "192.0.2.1", `"lab"`} {
				if strings.Contains(a.body, secret) {
					t.Errorf("%s tells alice of %s: %s", path, secret, a.body)
				}
			}
		}
		if sums := decode[api.Sums](r.as("alice-token", "/v1/sums?by=total")).Items; len(sums) != 1 || sums[0].VMs != 1 {
			t.Errorf("alice's sum is %+v", sums)
		}
		if c := decode[api.Clusters](r.as("alice-token", "/v1/clusters")).Items[0]; c.Whole || c.ID != nil || c.Kinds[0].Objects != nil {
			t.Errorf("alice's cluster is %+v", c)
		}
		for _, path := range []string{"/v1/clusters/lab", "/v1/nodes/prod/node1.example", "/v1/groups/prod/default", "/v1/vms/lab/" + r.vmName("lab", 0)} {
			r.as("alice-token", path).problem(404, "")
		}
		if n := len(names(r.as("ops-token", "/v1/vms"))); n != 12 {
			t.Errorf("ops see %d VMs, want the 12 of lab", n)
		}
		if n := len(names(r.as("ops-token", "/v1/nodes"))); n != 3 {
			t.Errorf("ops see %d nodes, want the 3 of lab", n)
		}
		if n := len(names(r.as("nobody-token", "/v1/vms"))); n != 0 {
			t.Errorf("nobody sees %d VMs", n)
		}
		if n := len(names(r.as("admin-token", "/v1/vms"))); n != 24 {
			t.Errorf("admin sees %d VMs", n)
		}
	})
}

// TestAPI_TouchesPermittedClustersOnly holds that a list neither refreshes clusters of which its reader sees nothing, nor
// tells their age.
func TestAPI_TouchesPermittedClustersOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), tokenFile(), nil)
	r.grant("user:olaf", "lab", r.vmName("lab", 1))
	for _, query := range []string{"", "&cluster=lab", "&cluster=prod", "&cluster=prod&cluster=lab", "&cluster=absent"} {
		r.as("ops-token", "/v1/vms?cache=refresh"+query).want(200)
	}
	r.as("admin-token", "/v1/vms").want(200)
	if diff := cmp.Diff([][]string{{"lab"}, {"lab"}, {"lab"}, nil}, r.cache.touched); diff != "" {
		t.Errorf("clusters touched (-want +got):\n%s", diff)
	}
	if a := decode[api.List[api.VM]](r.as("ops-token", "/v1/vms?cluster=prod")); a.AgeSeconds != nil || a.RefreshedAt != nil {
		t.Errorf("the age of prod is told: %+v", a.Freshness)
	}
}

func TestAPI_RefreshNeedsItsScope(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), tokenFile(), nil)
	mine := r.vmName("prod", 2)
	r.grant("user:alice", "prod", mine)
	r.grant("user:olaf", "lab", r.vmName("lab", 1))
	post := func(token, cluster string) answerOf {
		return r.do(http.MethodPost, "/v1/clusters/"+cluster+"/refresh", "Authorization", "Bearer "+token)
	}
	post("alice-token", "prod").problem(403, "scope refresh")
	post("ops-token", "prod").problem(404, "")
	post("ops-token", "absent").problem(404, "")
	if res := decode[api.Refresh](post("ops-token", "lab")); !res.OK || len(res.Kinds) != 0 {
		t.Errorf("whoever sees one VM learns %+v of the cluster", res)
	}
	if res := decode[api.Refresh](post("admin-token", "lab")); !res.OK || len(res.Kinds) == 0 {
		t.Errorf("the outcome is %+v", res)
	}
	r.as("alice-token", "/v1/vms?cache=refresh").problem(403, "scope refresh")
	r.as("alice-token", "/v1/vms?max_age=1s").problem(403, "scope refresh")
	r.as("alice-token", "/v1/vms?max_age=10s").want(200)
	r.as("ops-token", "/v1/vms?max_age=0s").want(200)
	r.as("ops-token", "/v1/vms?cache=refresh").want(200)
}

func TestAPI_ReadsChangedTokens(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var path string
	var clock clockOf
	clock.set(now)
	r := newRig(t, dbtest.SQLite(t), tokenFile(), func(o *api.Options) { path, o.Now = o.TokensFile, clock.now })
	r.as("admin-token", "/v1/vms").want(200)
	write := func(text string) {
		must(t, os.WriteFile(path+".new", []byte(text), 0o600))
		must(t, os.Rename(path+".new", path))
		now = now.Add(2 * time.Second)
		clock.set(now)
	}
	write("tokens: [{name: new, sha256: " + hashOf("new-token") + ", scope: admin}]")
	r.as("admin-token", "/v1/vms").problem(401, "unknown")
	r.as("new-token", "/v1/vms").want(200)
	write("tokens: [nonsense")
	r.as("new-token", "/v1/vms").want(200)
	if !strings.Contains(r.log.String(), "the old tokens stay in force") {
		t.Errorf("the log says nothing of the broken file: %s", r.log)
	}
	write(tokenFile())
	r.as("new-token", "/v1/vms").problem(401, "unknown")
	r.as("admin-token", "/v1/vms").want(200)
}

func TestListen_RefusesAWrongTokenFile(t *testing.T) {
	t.Parallel()
	h := hashOf("x")
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "it has no token"},
		{"no list", "tokens: 7", "line 1 does not fit into a list of tokens"},
		{"a token in the wrong place", "tokens: [gcu_secret]", "line 1 does not fit"},
		{"unknown key", "tokens: [{name: a, sha256: " + h + ", scope: admin, colour: red}]", "colour"},
		{"no name", "tokens: [{sha256: " + h + ", scope: admin}]", "needs a name"},
		{"the token itself", "tokens: [{name: a, sha256: gcu_abc, scope: admin}]", "never the token itself"},
		{"scope", "tokens: [{name: a, sha256: " + h + ", scope: root}]", "read, refresh or admin"},
		{"no subject", "tokens: [{name: a, sha256: " + h + ", scope: read}]", "name some in subjects"},
		{"empty subject", "tokens: [{name: a, sha256: " + h + ", scope: read, subjects: ['']}]", "subject is empty"},
		{"admin with subjects", "tokens: [{name: a, sha256: " + h + ", scope: admin, subjects: [x]}]", "would mean nothing"},
		{"twice", "tokens: [{name: a, sha256: " + h + ", scope: admin}, {name: b, sha256: " + h + ", scope: admin}]", "another one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := t.TempDir() + "/tokens.yaml"
			must(t, os.WriteFile(path, []byte(tt.text), 0o600))
			_, err := api.Listen(t.Context(), api.Options{
				Address: "127.0.0.1:0", Gatherer: prometheus.NewRegistry(), Cache: &storeCache{}, TokensFile: path,
			})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Listen = %v, want an error with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "gcu_") {
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
}

func TestListen_NeedsTokensBeyondLoopback(t *testing.T) {
	t.Parallel()
	for address, refused := range map[string]bool{
		"127.0.0.1:0": false, "localhost:0": false, "127.0.0.9:0": false, "0.0.0.0:0": true, ":0": true, "[::]:0": true,
	} {
		_, err := api.Listen(t.Context(), api.Options{Address: address, Gatherer: prometheus.NewRegistry(), Cache: &storeCache{}})
		if got := err != nil && strings.Contains(err.Error(), "api.tokens_file"); got != refused {
			t.Errorf("listening on %s without tokens = %v", address, err)
		}
	}
	base := serve(t, api.Options{
		Address: "0.0.0.0:0", Gatherer: prometheus.NewRegistry(), Ready: func(context.Context) error { return nil },
	})
	if !strings.Contains(base, "[::]") && !strings.Contains(base, "0.0.0.0") {
		t.Errorf("metrics alone listen on %s", base)
	}
}

func TestAPI_WithoutTokensAnswersThisMachineOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	for _, host := range []string{"evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.base+"/v1/vms", http.NoBody)
		must(t, err)
		req.Host = host
		send(t, req).problem(http.StatusMisdirectedRequest, "localhost")
	}
	r.do(http.MethodPost, "/v1/clusters/prod/refresh", "Sec-Fetch-Site", "cross-site").problem(403, "another site")
	r.do(http.MethodPost, "/v1/clusters/prod/refresh", "Origin", "https://evil.example").problem(403, "another site")
}

func TestAPI_LimitsTheRate(t *testing.T) {
	t.Parallel()
	var clock clockOf
	clock.set(time.Now())
	r := newRig(t, dbtest.SQLite(t), tokenFile(), func(o *api.Options) { o.Rate, o.Now = 10, clock.now })
	count := func(n int, token string) (ok, limited int) {
		for range n {
			switch a := r.as(token, "/v1/clusters"); a.status {
			case 200:
				ok++
			case http.StatusTooManyRequests:
				limited++
				if a.problem(429, "less often").header.Get("Retry-After") == "" {
					t.Error("429 without Retry-After")
				}
			default:
				a.problem(401, "")
			}
		}
		return ok, limited
	}
	if ok, limited := count(25, "admin-token"); ok != 20 || limited != 5 {
		t.Errorf("of 25 requests at once %d were answered and %d limited, want 20 and 5", ok, limited)
	}
	if ok, _ := count(1, "ops-token"); ok != 1 {
		t.Error("another token suffers from it")
	}
	clock.set(clock.now().Add(time.Second))
	if ok, limited := count(15, "admin-token"); ok != 10 || limited != 5 {
		t.Errorf("a second later %d were answered and %d limited, want 10 and 5", ok, limited)
	}
	if _, limited := count(30, "guess"); limited != 20 {
		t.Errorf("of 30 guesses %d were limited, want 20", limited)
	}
	if ok, _ := count(1, "ops-token"); ok != 1 {
		t.Error("a token suffers from guesses that come from the same address")
	}
}
