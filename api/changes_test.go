package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ganeticache/api"
	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// clockOf is a clock that tests set.
type clockOf struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clockOf) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func (c *clockOf) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// TestAPI_ChangesComeInOrderNoneMissedNoneTwice follows the log of changes while two clusters change, and compares with
// the table.
func TestAPI_ChangesComeInOrderNoneMissedNoneTwice(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		r := newRig(t, s, tokenFile(), nil)
		r.grant("group:ops", "lab", "")
		const rounds = 12
		var work sync.WaitGroup
		for _, cluster := range []string{"prod", "lab"} {
			work.Go(func() {
				for i := range rounds {
					if _, err := r.sim(cluster).Create(fmt.Sprintf("new%d.example", i)); err != nil {
						t.Error(err)
					}
					r.refresh(cluster)
				}
			})
		}
		follow := func(token string, last func([]api.Change) bool) []api.Change {
			var seen []api.Change
			after := "0"
			for !last(seen) {
				got := decode[api.Changes](r.as(token, "/v1/changes?limit=7&wait=20s&after="+url.QueryEscape(after)))
				if len(got.Items) == 0 {
					t.Fatalf("%d changes followed, and no more come", len(seen))
				}
				seen, after = append(seen, got.Items...), got.Next
			}
			return seen
		}
		done := func(clusters ...string) func([]api.Change) bool {
			return func(seen []api.Change) bool {
				for _, c := range clusters {
					if !slices.ContainsFunc(seen, func(x api.Change) bool {
						return x.Cluster == c && x.Name == fmt.Sprintf("new%d.example", rounds-1)
					}) {
						return false
					}
				}
				return true
			}
		}
		seen := follow("admin-token", done("prod", "lab"))
		ops := follow("ops-token", done("lab"))
		work.Wait()
		all, err := s.Changes(t.Context(), 0, 10_000)
		must(t, err)
		if len(seen) > len(all) {
			t.Fatalf("%d changes followed, %d are there", len(seen), len(all))
		}
		epochs, err := s.ChangeEpochs(t.Context(), 1, all[len(all)-1].ID)
		must(t, err)
		for i, c := range seen {
			if c.Cursor != strconv.FormatInt(all[i].ID, 10)+"."+epochs.Of(all[i].ID) || c.UUID != all[i].UUID || c.Op != string(all[i].Op) {
				t.Fatalf("change %d is %+v, want %+v", i, c, all[i])
			}
		}
		i := 0
		for _, c := range ops {
			if c.Cluster != "lab" {
				t.Fatalf("ops see %+v", c)
			}
			for i < len(all) && (all[i].UUID != c.UUID || all[i].Op != db.Op(c.Op)) {
				i++
			}
			if i == len(all) {
				t.Fatalf("ops' change %+v is out of order or there twice", c)
			}
			i++
			if _, err := strconv.Atoi(c.Cursor); err == nil {
				t.Errorf("the cursor %s counts what ops may not see", c.Cursor)
			}
		}
	})
}

func TestAPI_WaitsForChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), tokenFile(), nil)
	end := decode[api.Changes](r.as("admin-token", "/v1/changes?after=latest"))
	if len(end.Items) != 0 || end.Next == "0" {
		t.Errorf("after=latest gives %+v", end)
	}
	began := time.Now()
	none := decode[api.Changes](r.as("admin-token", "/v1/changes?wait=1s&after="+end.Next))
	if waited := time.Since(began); len(none.Items) != 0 || none.Next != end.Next || waited < time.Second {
		t.Errorf("%+v after %s", none, waited)
	}
	answered := make(chan answerOf)
	go func() { answered <- r.as("admin-token", "/v1/changes?wait=60s&after="+end.Next) }()
	_, err := r.sim("prod").Create("new.example")
	must(t, err)
	r.refresh("prod")
	if got := decode[api.Changes](<-answered); len(got.Items) == 0 {
		t.Errorf("the waiter got %+v", got)
	}
}

func TestAPI_WaitEndsWithTheServer(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	answered := make(chan answerOf)
	for range 3 {
		go func() { answered <- r.get("/v1/changes?after=latest&wait=60s") }()
	}
	r.waiters(3)
	began := time.Now()
	r.stop()
	for range 3 {
		if got := decode[api.Changes](<-answered); len(got.Items) != 0 {
			t.Errorf("%+v", got)
		}
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("the waiters were answered after %s", d)
	}
}

func TestAPI_LimitsWaiters(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), tokenFile(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	var waiters sync.WaitGroup
	for range 64 {
		waiters.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"/v1/changes?after=latest&wait=60s", http.NoBody)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer admin-token")
			if resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req); err == nil {
				resp.Body.Close()
			}
		})
	}
	r.waiters(64)
	r.as("admin-token", "/v1/changes?after=latest&wait=60s").problem(429, "wait for changes already")
	r.as("ops-token", "/v1/changes?after=latest&wait=1s").want(200)
	cancel()
	waiters.Wait()
	for range 100 { // they leave when the server notices that they are gone
		if a := r.as("admin-token", "/v1/changes?after=latest&wait=1s"); a.status == 200 {
			return
		}
	}
	t.Error("the waiters that left still count")
}

// waiters waits until so many requests wait for changes: they are those that the server keeps asking for.
func (r *rig) waiters(n int) {
	r.t.Helper()
	for range 1000 {
		if api.Waiting(r.server) == n {
			return
		}
		<-time.After(5 * time.Millisecond) // nothing tells when a request begins to wait
	}
	r.t.Fatalf("%d requests wait, want %d", api.Waiting(r.server), n)
}

func TestAPI_CursorsBelongToTheirReader(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), tokenFile(), nil)
	r.grant("group:ops", "lab", "")
	first := decode[api.Changes](r.as("ops-token", "/v1/changes?limit=1"))
	if len(first.Items) != 1 {
		t.Fatalf("%+v", first)
	}
	rest := decode[api.Changes](r.as("ops-token", "/v1/changes?limit=1000&after="+url.QueryEscape(first.Items[0].Cursor)))
	if rest.Items[0].UUID == first.Items[0].UUID {
		t.Errorf("the cursor of the first entry leads to it again: %+v", rest.Items[0])
	}
	// Nothing in the cursors tells that something happened which ops may not see.
	_, err := r.sim("prod").Create("secret.example")
	must(t, err)
	r.refresh("prod")
	again := decode[api.Changes](r.as("ops-token", "/v1/changes?after="+url.QueryEscape(rest.Next)))
	if len(again.Items) != 0 || len(again.Next) != len(rest.Next) || again.Next == rest.Next {
		t.Errorf("%+v after %s", again, rest.Next)
	}
	for _, forged := range []string{"1", first.Next[:len(first.Next)-1] + "A", strings.Repeat("A", 48), "AAAA"} {
		if forged != first.Next {
			r.as("ops-token", "/v1/changes?after="+url.QueryEscape(forged)).problem(422, "query.after")
		}
	}
	r.as("admin-token", "/v1/changes?after="+url.QueryEscape(first.Next)).problem(422, "query.after")
}
