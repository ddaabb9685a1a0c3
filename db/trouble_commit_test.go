package db_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// A COMMIT whose answer is lost is in the database or is not, and is not sent again. The next snapshot finds out by the
// generation, and each change is recorded once.
func TestApply_CommitLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault fault
		there bool
	}{
		{"before the server got it", cutAtCommit, false},
		{"after the server did it", cutAfterCommit, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := dbtest.OwnServer(t)
			p := newProxy(t, server.URL)
			s, direct := openURL(t, p.url), server.Open(db.Options{})
			id := oneCluster(t, s)
			before := contents(t, direct)
			p.commits.Store(0)
			p.set(c.fault)
			_, err := s.Apply(t.Context(), snapshot(id, 0, 20, 0))
			if !errors.Is(err, db.ErrCommitUnknown) || db.TroubleOf(err) != db.TroubleUnavailable || p.commits.Load() != 1 {
				t.Errorf("%d times COMMIT: %v", p.commits.Load(), err)
			}
			if wrote := !cmp.Equal(before, contents(t, direct)); wrote != c.there {
				t.Errorf("written: %t", wrote)
			}

			_, err = s.Apply(t.Context(), snapshot(id, 0, 20, 0))
			if c.there != errors.Is(err, db.ErrConflict) {
				t.Errorf("the same snapshot again: %v", err)
			}
			fp := must(s.Fingerprints(t.Context(), id, db.KindVM))(t)
			if len(fp.Items) != 20 || fp.Generation != 1 {
				t.Errorf("%d rows in generation %d", len(fp.Items), fp.Generation)
			}
			var changes int
			if err := s.DB().GetContext(t.Context(), &changes, "SELECT count(*) FROM changes"); err != nil || changes != 20 {
				t.Errorf("%d changes, %v", changes, err)
			}

			p.set(c.fault)
			failure := db.Failure{Kinds: []db.Kind{db.KindVM}, AttemptedAt: time.Now(), Error: "down", Reason: "unreachable"}
			if _, err := s.RecordFailure(t.Context(), id, failure); !errors.Is(err, db.ErrCommitUnknown) {
				t.Errorf("recording a failure: %v", err)
			}
			if got := must(s.Freshness(t.Context(), id))(t)[db.KindVM].ConsecutiveFailures; (got == 1) != c.there || got > 1 {
				t.Errorf("%d failures", got)
			}
			checkUsable(t, s, id)
		})
	}
}

// A server whose packets vanish is given up after the time it may be silent, and its connection with it.
func TestStore_Silence(t *testing.T) {
	t.Parallel()
	server := dbtest.OwnServer(t)
	p := newProxy(t, server.URL)
	const silence = 300 * time.Millisecond
	s := must(db.Open(t.Context(), p.url, db.Options{MaxConns: 2, Silence: silence}))(t)
	t.Cleanup(func() { s.Close() })
	id := oneCluster(t, s)
	for name, statement := range map[string]func() error{
		"read": func() error { _, err := s.Clusters(t.Context()); return err },
		"apply": func() error {
			_, err := s.Apply(t.Context(), snapshot(id, 0, 5, 0))
			return err
		},
		"copy": func() error {
			snap := snapshot(id, 0, 5000, 0)
			whole := snap.Changed
			snap.Changed = func(yield func(db.Item) bool) {
				for item := range whole {
					p.set(swallow) // in the middle of the COPY
					if !yield(item) {
						return
					}
				}
			}
			_, err := s.Apply(t.Context(), snap)
			return err
		},
	} {
		occupy(t, s, 2)
		if name != "copy" {
			p.set(swallow)
		}
		start := time.Now()
		err := statement()
		if db.TroubleOf(err) != db.TroubleUnavailable || time.Since(start) > 20*silence {
			t.Errorf("%s: after %v: %v", name, time.Since(start), err)
		}
		p.set(none)
		if _, err := s.Clusters(t.Context()); err != nil {
			t.Errorf("%s, afterwards: %v", name, err)
		}
	}
	checkUsable(t, s, id)
}
