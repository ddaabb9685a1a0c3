package api_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"ganeticache/api"
	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// restore makes the store what a back-up of this moment is to a program that starts on it later: nobody goes on with the
// epoch that was begun last.
func restore(t *testing.T, s *db.Store) {
	t.Helper()
	if _, err := s.Writer().ExecContext(t.Context(), "UPDATE change_epochs SET epoch = 'of-the-backup'"); err != nil {
		t.Fatal(err)
	}
}

// A purge makes the greatest id less than a waiter has seen. It waits on, and does not ask without end.
func TestAPI_WaitsAfterAPurge(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		r := newRig(t, s, tokenFile(), nil)
		end := decode[api.Changes](r.as("admin-token", "/v1/changes?after=latest"))
		// Somebody waits, so that the watcher has seen the end, and goes on waiting over the purge.
		first := make(chan answerOf, 1)
		go func() { first <- r.as("admin-token", "/v1/changes?wait=3s&after="+url.QueryEscape(end.Next)) }()
		r.waiters(1)
		if _, err := s.Writer().ExecContext(t.Context(), "DELETE FROM changes WHERE cluster_id = (SELECT id FROM clusters WHERE name = 'lab')"); err != nil {
			t.Fatal(err)
		}
		for _, from := range []string{end.Next, "latest"} {
			began, looks := time.Now(), r.cache.looks.Load()
			got := decode[api.Changes](r.as("admin-token", "/v1/changes?wait=1s&after="+url.QueryEscape(from)))
			if len(got.Items) != 0 || time.Since(began) < time.Second {
				t.Errorf("after %s: %+v after %s", from, got, time.Since(began))
			}
			if n := r.cache.looks.Load() - looks; n > 10 {
				t.Errorf("after %s: %d queries for changes while nothing happened", from, n)
			}
		}
		<-first
		answered := make(chan answerOf)
		go func() { answered <- r.as("admin-token", "/v1/changes?wait=60s&after="+url.QueryEscape(end.Next)) }()
		r.waiters(1)
		_, err := r.sim("prod").Create("new.example")
		must(t, err)
		r.refresh("prod")
		if got := decode[api.Changes](<-answered); len(got.Items) == 0 {
			t.Errorf("the waiter got %+v", got)
		}
	})
}

func TestAPI_CursorOfBeforeARestoreIsGone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		r := newRig(t, s, tokenFile(), nil)
		r.grant("group:ops", "prod", "")
		kept := map[string]string{} // by token: a position of before the back-up
		for _, token := range []string{"admin-token", "ops-token"} {
			kept[token] = decode[api.Changes](r.as(token, "/v1/changes?limit=1")).Next
		}
		create := func(name string) {
			t.Helper()
			_, err := r.sim("prod").Create(name)
			must(t, err)
			r.refresh("prod")
		}
		create("lost.example")
		lost := map[string]api.Changes{}
		for _, token := range []string{"admin-token", "ops-token"} {
			lost[token] = decode[api.Changes](r.as(token, "/v1/changes?limit=1000"))
		}
		restore(t, s)
		create("new1.example") // as many entries as before: the ids are there again
		for token, was := range lost {
			for _, cursor := range []string{was.Next, was.Items[len(was.Items)-1].Cursor} {
				a := r.as(token, "/v1/changes?wait=20s&after="+url.QueryEscape(cursor)).problem(410, "after=0")
				var p struct{ Oldest string }
				must(t, json.Unmarshal([]byte(a.body), &p))
				if p.Oldest == "" || token == "ops-token" && strings.ContainsAny(a.body, ".") && strings.Contains(a.body, "of-the-backup") {
					t.Errorf("%s is told %s", token, a.body)
				}
			}
			if token == "admin-token" {
				r.as(token, "/v1/changes?after=99999999").problem(410, "after=0")
			}
		}
	})
}
