package dbtest

import (
	"testing"
	"time"

	"ganeticache/db"
)

// observeConformance holds what both databases show of single observations and of the right to ask on behalf of readers.
func observeConformance(t *testing.T, open func(testing.TB, db.Options) *db.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*fixture)
	}{
		{"one object is created, updated, removed and restored", observed},
		{"an unchanged object is stamped and nothing else", observedUnchanged},
		{"no older snapshot undoes an observation", observedThenOlder},
		{"an older observation changes nothing", observedTooLate},
		{"an observation older than a complete answer tells nothing", observedBeforeSnapshot},
		{"one process asks a cluster for readers at a time", readings},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, open(t, db.Options{})))
		})
	}
}

// see stores one observation of a VM, or that it is gone.
func (f *fixture) see(asked db.Ticket, item db.Item, gone string) db.Outcome {
	f.Helper()
	o := db.Observation{ClusterID: f.cluster.ID, Kind: db.KindVM, StartedAt: asked.At, Ticket: asked.Number, Gone: gone, Explain: true}
	if gone == "" {
		for copied := range sequence([]db.Item{item}) {
			o.Item = copied
			return must(f.s.Observe(f.ctx(), o))(f)
		}
	}
	return must(f.s.Observe(f.ctx(), o))(f)
}

func observed(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	before := f.freshness(db.KindVM)
	for _, step := range []struct {
		item db.Item
		gone string
		want counts
		live map[string]string
	}{
		{item: vm("u2", "db"), want: counts{Created: 1}, live: map[string]string{"u1": "web", "u2": "db"}},
		{item: vm("u2", "db", func(v *db.VM) { v.Status = "ADMIN_down" }), want: counts{Updated: 1}, live: map[string]string{"u1": "web", "u2": "db"}},
		{gone: "u2", want: counts{Removed: 1}, live: map[string]string{"u1": "web"}},
		{gone: "u2", live: map[string]string{"u1": "web"}},
		{item: vm("u2", "db2"), want: counts{Restored: 1}, live: map[string]string{"u1": "web", "u2": "db2"}},
	} {
		generation := f.freshness(db.KindVM).Generation
		out := f.see(f.ask(), step.item, step.gone)
		same(f, "outcome", step.want, countsOf(out))
		same(f, "live", step.live, f.live())
		if moved := f.freshness(db.KindVM).Generation - generation; (moved == 1) != (step.want != counts{}) {
			f.Errorf("the generation moved by %d with outcome %+v", moved, step.want)
		}
	}
	after := f.freshness(db.KindVM)
	after.Generation = before.Generation
	same(f, "freshness, the generation aside", before, after)
}

func observedUnchanged(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	before := f.freshness(db.KindVM)
	asked := f.ask()
	same(f, "outcome", counts{}, countsOf(f.see(asked, vm("u1", "web"), "")))
	same(f, "freshness", before, f.freshness(db.KindVM))
	view := must(f.s.VM(f.ctx(), db.VMRef{Cluster: "alpha", Name: "web"}, nil))(f)
	same(f, "cached at", asked.At, view.CachedAt.UTC())
}

// observedThenOlder applies a snapshot whose request began before an observation and that was compared after it: it must
// neither bring back, nor remove, nor overwrite what was seen later, although a clock said that it was seen earlier.
func observedThenOlder(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	older := f.ask()
	later := func() db.Ticket {
		asked := f.ask()
		asked.At = older.At.Add(-time.Second)
		return asked
	}
	f.see(later(), vm("u1", "web", func(v *db.VM) { v.Status = "ADMIN_down" }), "")
	f.see(later(), db.Item{}, "u2")
	f.see(later(), vm("u3", "new"), "")
	before := f.vms()
	snap := f.answer(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	snap.Ticket = older.Number
	out := f.applySnapshot(snap)
	same(f, "outcome", counts{}, countsOf(out))
	same(f, "rows", before, f.vms())
	same(f, "live", map[string]string{"u1": "web", "u3": "new"}, f.live())
}

func observedTooLate(f *fixture) {
	late := f.ask()
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	late.At = f.now.Add(time.Hour) // as its clock said
	before := f.vms()
	same(f, "update", []string{"u1"}, f.see(late, vm("u1", "old"), "").Skipped)
	same(f, "removal", []string{"u2"}, f.see(late, db.Item{}, "u2").Skipped)
	same(f, "rows", before, f.vms())
}

// The snapshot in between lacks what is then observed too late, and found unchanged what is then said to be gone: neither
// row carries its time.
func observedBeforeSnapshot(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	asked := f.ask()
	record := must(f.s.Fingerprints(f.ctx(), f.cluster.ID, db.KindVM))(f)
	found := f.ask()
	touch := []db.Touch{{
		Kind: db.KindVM, StartedAt: found.At, Ticket: found.Number, Objects: 1, Generation: record.Generation,
	}}
	if err := f.s.TouchFresh(f.ctx(), f.cluster.ID, nil, touch); err != nil {
		f.Fatal(err)
	}
	before, fresh := f.vms(), f.freshness(db.KindVM)
	same(f, "one that has been removed since", []string{"u2"}, f.see(asked, vm("u2", "db"), "").Skipped)
	same(f, "one that has been made since", []string{"u1"}, f.see(asked, db.Item{}, "u1").Skipped)
	same(f, "rows", before, f.vms())
	same(f, "freshness", fresh, f.freshness(db.KindVM))
}

func readings(f *fixture) {
	acquire := func(holder string, ttl time.Duration) (db.Reading, bool) {
		l, got, err := f.s.BeginReading(f.ctx(), f.cluster.ID, holder, ttl)
		if err != nil {
			f.Fatal(err)
		}
		return l, got
	}
	first, got := acquire("a", time.Hour)
	same(f, "a takes it", true, got)
	_, got = acquire("b", time.Hour)
	same(f, "b must wait", false, got)
	again, got := acquire("a", time.Hour)
	same(f, "a renews it", first, again)
	same(f, "a renews it", true, got)
	if err := f.s.EndReading(f.ctx(), first); err != nil {
		f.Fatal(err)
	}
	second, got := acquire("b", 0) // which is over at once
	same(f, "b takes it", true, got)
	same(f, "the token grows", first.Token+1, second.Token)
	third, got := acquire("a", time.Hour)
	same(f, "a takes it when it is over", true, got)
	if err := f.s.EndReading(f.ctx(), second); err != nil {
		f.Fatal(err)
	}
	_, got = acquire("b", time.Hour)
	same(f, "b gives back what it no longer has, and a keeps it", false, got)
	same(f, "the token grows", second.Token+1, third.Token)
}
