package db_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// TestPurgeChanges: what retention deletes is no silent gap to anybody, and what somebody has erased is.
func TestPurgeChanges(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		if kept := must(s.ChangesKept(t.Context()))(t); kept != 365*24*time.Hour {
			t.Errorf("a new database keeps changes for %s", kept)
		}
		id := oneCluster(t, s)
		apply(t, s, snapshot(id, 0, 2500, 0))
		all := must(s.Changes(t.Context(), 0, 10000))(t)
		if n := must(s.PurgeChanges(t.Context(), all[0].RecordedAt))(t); n != 0 {
			t.Errorf("%d entries deleted that are not older", n)
		}
		cut := all[len(all)-1].RecordedAt.Add(time.Microsecond)
		for !time.Now().After(cut.Add(time.Millisecond)) {
			runtime.Gosched() // the next entry's time is a later one
		}
		apply(t, s, snapshot(id, 1, 3, 1))
		if n := must(s.PurgeChanges(t.Context(), cut))(t); n != 2500 {
			t.Errorf("%d entries deleted, want 2500", n)
		}
		rest := must(s.ChangesAfter(t.Context(), db.ChangeFilter{Limit: 1000}))(t)
		if len(rest) == 0 || rest[0].ID <= all[len(all)-1].ID {
			t.Errorf("%d entries are left", len(rest))
		}
		for after, gone := range map[int64]bool{all[0].ID: true, all[2400].ID: true, all[2499].ID: false, rest[0].ID: false} {
			_, err := s.ChangesAfter(t.Context(), db.ChangeFilter{After: after})
			if errors.Is(err, db.ErrCursorGone) != gone {
				t.Errorf("after %d: %v", after, err)
			}
		}
		if from := must(s.CompleteFrom(t.Context()))(t); !from.Equal(all[2499].RecordedAt) {
			t.Errorf("complete from %s, want %s", from, all[2499].RecordedAt)
		}
		cursor := rest[0].ID
		if n := must(s.ForgetChanges(t.Context(), db.Forgotten{UUID: rest[0].UUID}))(t); n != 1 {
			t.Errorf("%d entries erased", n)
		}
		if _, err := s.ChangesAfter(t.Context(), db.ChangeFilter{After: cursor}); err != nil {
			t.Errorf("a cursor at an erased entry: %v", err)
		}
		if _, err := s.ForgetChanges(t.Context(), db.Forgotten{UUID: rest[0].UUID}); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("erased twice: %v", err)
		}
	})
}
