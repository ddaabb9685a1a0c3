package db_test

import (
	"errors"
	"testing"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// after gives what ChangesAfter says of a position.
func after(t *testing.T, s *db.Store, id int64, epoch string) (int, *db.CursorGoneError) {
	t.Helper()
	found, err := s.ChangesAfter(t.Context(), db.ChangeFilter{After: id, Epoch: epoch, Limit: 1000})
	gone, _ := errors.AsType[*db.CursorGoneError](err)
	if err != nil && (gone == nil || !errors.Is(err, db.ErrCursorGone)) {
		t.Fatal(err)
	}
	return len(found), gone
}

// A position is good when its id was given out, whatever has been deleted since; max(id) goes down in a purge.
func TestCursor_OutlivesAPurge(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		id := oneCluster(t, s)
		apply(t, s, snapshot(id, 0, 5, 0))
		last := must(s.LastChange(t.Context()))(t)
		must(s.Writer().ExecContext(t.Context(), "DELETE FROM changes"))(t)
		if n, gone := after(t, s, last, ""); n != 0 || gone != nil {
			t.Errorf("the last entry before a purge: %d entries, %v", n, gone)
		}
		apply(t, s, snapshot(id, 1, 6, 5))
		if n, gone := after(t, s, last, ""); n == 0 || gone != nil {
			t.Errorf("after the purge: %d entries, %v", n, gone)
		}
		if _, gone := after(t, s, last+1_000_000, ""); gone == nil {
			t.Error("an id that was never given out is taken for a position")
		}
		if n, gone := after(t, s, 0, ""); n == 0 || gone != nil {
			t.Errorf("from the oldest entry kept: %d entries, %v", n, gone)
		}
	})
}

// What another program writes, as after a restore, is another epoch: a position is known by the epoch of its entry.
func TestCursor_EpochsTellHistoriesApart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		id := oneCluster(t, s)
		apply(t, s, snapshot(id, 0, 5, 0))
		mid := must(s.LastChange(t.Context()))(t)
		first := must(s.ChangeEpochs(t.Context(), mid, mid))(t).Of(mid)
		if first == "" {
			t.Fatal("the first entries have no epoch")
		}
		// The same process goes on in the same epoch.
		apply(t, s, snapshot(id, 1, 6, 5))
		last := must(s.LastChange(t.Context()))(t)
		if got := must(s.ChangeEpochs(t.Context(), last, last))(t).Of(last); got != first {
			t.Errorf("one process wrote in the epochs %q and %q", first, got)
		}
		// As a back-up of that moment does: what comes next is written by a program that did not begin the epoch.
		must(s.Writer().ExecContext(t.Context(), "UPDATE change_epochs SET epoch = 'of-the-backup'"))(t)
		apply(t, s, snapshot(id, 2, 9, 6))
		end := must(s.LastChange(t.Context()))(t)
		epochs := must(s.ChangeEpochs(t.Context(), mid, end))(t)
		if len(epochs) != 2 || epochs.Of(last) != "of-the-backup" || epochs.Of(last+1) != first {
			t.Errorf("the epochs are %v", epochs)
		}
		for _, tt := range []struct {
			name  string
			id    int64
			epoch string
			gone  bool
		}{
			{"from before the back-up", mid, "of-the-backup", false},
			{"of now", end, first, false},
			{"of what was written after the back-up and is gone", last, first, true},
			{"of an id that was given out again", end, "of-the-backup", true},
			{"of an epoch that is not there at all", end, "xyz", true},
			{"without an epoch", end, "", false},
		} {
			if _, gone := after(t, s, tt.id, tt.epoch); (gone != nil) != tt.gone {
				t.Errorf("a position %s: %v", tt.name, gone)
			}
		}
	})
}
