package updater_test

import (
	"fmt"
	"strings"
	"testing"

	"ganeticache/db"
	"ganeticache/updater"
)

func keys(n int) []string {
	var ks []string
	for i := range n {
		ks = append(ks, fmt.Sprintf("uuid-%d", i))
	}
	return ks
}

func TestGuard_Decide(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		guard updater.Guard
		live  int
		gone  int
		allow bool
	}{
		{name: "nothing gone", live: 100, gone: 0, allow: true},
		{name: "one of many", live: 100, gone: 1, allow: true},
		{name: "many, but a small share", live: 1000, gone: 250, allow: true},
		{name: "a large share, but few", live: 20, gone: 10, allow: true},
		{name: "many and a large share", live: 40, gone: 11, allow: false},
		{name: "exactly a quarter", live: 44, gone: 11, allow: true},
		{name: "everything of many", live: 100, gone: 100, allow: false},
		{name: "everything of one", live: 1, gone: 1, allow: false},
		{name: "nothing there, nothing gone", live: 0, gone: 0, allow: true},
		{name: "own limits", guard: updater.Guard{MaxObjects: 1, MaxPercent: 1, Snapshots: 1}, live: 100, gone: 2, allow: false},
		{name: "no object without asking", guard: updater.Guard{Snapshots: 1}, live: 100, gone: 1, allow: false},
		{name: "switched off", guard: updater.Guard{MaxPercent: 100, Snapshots: 1}, live: 100, gone: 99, allow: true},
		{name: "switched off, but everything gone", guard: updater.Guard{MaxPercent: 100, Snapshots: 1}, live: 100, gone: 100, allow: false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.guard == (updater.Guard{}) {
				tt.guard = updater.DefaultGuard()
			}
			d := tt.guard.Decide(db.KindVM, db.Removals{Live: tt.live, Absent: keys(tt.gone)})
			if d.Allow != tt.allow {
				t.Errorf("losing %d of %d: allow = %v, want %v", tt.gone, tt.live, d.Allow, tt.allow)
			}
			if wantPending := !tt.allow; (d.Pending != db.Pending{}) != wantPending || (d.Error != "") != wantPending {
				t.Errorf("losing %d of %d: pending %+v, error %q; want them exactly when withheld", tt.gone, tt.live, d.Pending, d.Error)
			}
		})
	}
}

func TestGuard_BelievesTheSameAbsenceAfterThreeFurtherSnapshots(t *testing.T) {
	t.Parallel()
	g := updater.DefaultGuard()
	gone := keys(50)
	var pending db.Pending
	for snapshot := 1; snapshot <= 4; snapshot++ {
		d := g.Decide(db.KindVM, db.Removals{Live: 100, Absent: gone, Pending: pending})
		if want := snapshot == 4; d.Allow != want {
			t.Fatalf("snapshot %d: allow = %v, want %v (%s)", snapshot, d.Allow, want, d.Error)
		}
		if left := fmt.Sprintf("%d more complete answers", 4-snapshot); !d.Allow && !strings.Contains(d.Error, left) {
			t.Errorf("snapshot %d: error %q does not say %q", snapshot, d.Error, left)
		}
		pending = d.Pending
		// The order in which the store lists them says nothing.
		gone[0], gone[49] = gone[49], gone[0]
	}
}

func TestGuard_StartsOverWhenTheAbsenceChanges(t *testing.T) {
	t.Parallel()
	g := updater.DefaultGuard()
	first := g.Decide(db.KindVM, db.Removals{Live: 100, Absent: keys(50)})
	first.Pending.Seen = 3
	second := g.Decide(db.KindVM, db.Removals{Live: 100, Absent: keys(51), Pending: first.Pending})
	if second.Allow || second.Pending.Seen != 1 {
		t.Errorf("another absence after three equal ones: allow = %v, seen %d; want it withheld and counted anew", second.Allow, second.Pending.Seen)
	}
}
