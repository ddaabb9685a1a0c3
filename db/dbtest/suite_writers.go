package dbtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"ganeticache/db"
)

func newerWins(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	// Another observer (a single object read on demand, say) saw both later than the snapshot that is on its way.
	snap := f.answer(db.KindVM, vm("u1", "old", func(v *db.VM) { v.Status = "ADMIN_down" }))
	f.mustWrite(fmt.Sprintf("UPDATE virtual_machines SET ticket = %d, observed_at = '2020-01-01 00:00:00+00:00'", f.ask().Number))
	before := f.vms()
	out := f.applySnapshot(snap)
	same(f, "outcome", counts{}, countsOf(out))
	same(f, "skipped", []string{"u1", "u2"}, slices.Sorted(slices.Values(out.Skipped)))
	same(f, "withheld", 0, len(out.Withheld))
	same(f, "rows", before, f.vms())
}

// ticketsCount has the clocks of rows and answers anywhere, and tickets that nobody drew: the order of the requests alone
// decides, and nothing is newest for good.
func ticketsCount(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"), vm("u3", "gone"))
	f.mustWrite("UPDATE virtual_machines SET observed_at = '2090-01-01 00:00:00+00:00'")
	f.mustWrite("UPDATE freshness SET attempted_at = '2090-01-01 00:00:00+00:00', refreshed_at = attempted_at, snapshot_at = attempted_at")
	f.mustWrite("UPDATE virtual_machines SET ticket = 9000000000000000000 WHERE uuid <> 'u1'")
	f.mustWrite("UPDATE freshness SET snapshot_ticket = 9000000000000000000")
	down := func(v *db.VM) { v.Status = "ADMIN_down" }
	out := f.apply(db.KindVM, vm("u1", "web", down), vm("u2", "db", down))
	same(f, "outcome", counts{Updated: 2, Removed: 1}, countsOf(out))
	same(f, "live", map[string]string{"u1": "web", "u2": "db"}, f.live())
	same(f, "refreshed", f.now, *f.freshness(db.KindVM).RefreshedAt)
	for uuid, v := range f.vms() {
		same(f, uuid+" observed", f.now, v.Seen.UTC())
	}
	f.mustWrite("UPDATE freshness SET snapshot_ticket = 9000000000000000000, attempt_ticket = 0")
	touches := f.touches(f.freshness(db.KindVM).Generation, db.KindVM)
	if err := f.s.TouchFresh(f.ctx(), f.cluster.ID, nil, touches); err != nil {
		f.Fatal(err)
	}
	f.mustWrite("UPDATE freshness SET snapshot_ticket = 9000000000000000000, attempt_ticket = 0")
	failed := f.ask()
	same(f, "failures", 1, must(f.s.RecordFailure(f.ctx(), f.cluster.ID, db.Failure{
		Kinds: []db.Kind{db.KindVM}, AttemptedAt: failed.At, Ticket: failed.Number, Error: "x",
	}))(f))
	f.mustWrite("UPDATE virtual_machines SET ticket = 9000000000000000000, observed_at = '2090-01-01 00:00:00+00:00'")
	f.see(f.ask(), vm("u1", "web", down), "")
	same(f, "observed as it was", f.now, f.vms()["u1"].Seen.UTC())
	same(f, "observed anew", counts{Updated: 1}, countsOf(f.see(f.ask(), vm("u2", "db"), "")))
}

// ticketsGrow draws from several goroutines: no two numbers are the same, and who draws later draws a greater one.
func ticketsGrow(f *fixture) {
	var mu sync.Mutex
	seen := map[int64]bool{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			last := int64(0)
			for range 25 {
				t, err := f.s.Ticket(f.ctx())
				if err != nil {
					f.Error(err)
					return
				}
				if t.Number <= last {
					f.Errorf("ticket %d follows %d", t.Number, last)
				}
				last = t.Number
				mu.Lock()
				if seen[t.Number] {
					f.Errorf("ticket %d was drawn twice", t.Number)
				}
				seen[t.Number] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

func olderConflicts(f *fixture) {
	older := f.ask()
	f.apply(db.KindVM, vm("u1", "web"))
	snap := f.answer(db.KindVM)
	snap.Ticket = older.Number // its clock is ahead
	_, err := f.s.Apply(f.ctx(), snap)
	wantError(f, db.ErrConflict, err)
	same(f, "live", map[string]string{"u1": "web"}, f.live())
	// As new as the record is new enough.
	snap.Ticket = f.freshness(db.KindVM).SnapshotTicket
	same(f, "outcome", counts{Removed: 1}, countsOf(f.applySnapshot(snap)))
}

func generationConflicts(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	stale := f.answer(db.KindVM)
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	stale.StartedAt = f.tick()
	before := f.freshness(db.KindVM)
	_, err := f.s.Apply(f.ctx(), stale)
	wantError(f, db.ErrConflict, err)
	same(f, "live", map[string]string{"u1": "web", "u2": "db"}, f.live())
	same(f, "freshness", before, f.freshness(db.KindVM))
}

func dryRun(f *fixture) {
	run := func(dry bool, items ...db.Item) db.Outcome {
		snap := f.answer(db.KindVM, items...)
		snap.DryRun = dry
		out := f.applySnapshot(snap)
		for i := range out.Changes { // sequences advance, and the second run is later
			out.Changes[i].ID, out.Changes[i].ObjectID, out.Changes[i].ObservedAt = 0, 0, time.Time{}
			out.Changes[i].RecordedAt = time.Time{}
		}
		return out
	}
	for _, items := range [][]db.Item{
		{vm("u1", "web"), vm("u2", "db")},
		{vm("u1", "www"), vm("u3", "mail"), broken("u4", "{}")},
	} {
		vms, fresh := f.vms(), f.freshness(db.KindVM)
		dry := run(true, items...)
		same(f, "rows", vms, f.vms())
		same(f, "freshness", fresh, f.freshness(db.KindVM))
		same(f, "generation", fresh.Generation, dry.Generation)
		wet := run(false, items...)
		dry.Generation = wet.Generation
		same(f, "outcome", wet, dry)
	}
}

func twoClusters(f *fixture) {
	beta := f.sync(settings("alpha"), settings("beta"))[1].ID
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	out := f.applySnapshot(f.answerOf(beta, db.KindVM, vm("u1", "web"), vm("u9", "db"), broken("u2", "{}")))
	same(f, "outcome", counts{Created: 2, Quarantined: 1}, countsOf(out))
	alpha := f.vms()
	if alpha["u1"].ID == f.vmsOf(beta)["u1"].ID {
		f.Error("the clusters share a row")
	}
	f.applySnapshot(f.answerOf(beta, db.KindVM, vm("u1", "www"), vm("u2", "db")))
	f.applySnapshot(f.answerOf(beta, db.KindVM))
	same(f, "alpha", alpha, f.vms())
	same(f, "live", map[string]string{"u1": "web", "u2": "db"}, f.live())
	same(f, "purged", int64(3), must(f.s.Purge(f.ctx(), f.now.Add(time.Hour)))(f))
	same(f, "alpha", alpha, f.vms())
}

// breaksOff ends the snapshot half way, in each of the ways there are.
func breaksOff(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	var items []db.Item
	for i := range 2500 {
		items = append(items, vm(fmt.Sprint("new", i), fmt.Sprint("vm", i)))
	}
	items[0] = vm("u1", "changed")
	for _, table := range []string{"holding rows", "empty"} {
		if table == "empty" {
			f.mustWrite("DELETE FROM virtual_machines")
		}
		before, fresh, changes := f.vms(), f.freshness(db.KindVM), f.number("SELECT count(*) FROM changes")
		for _, stop := range []func(cancel func()){
			func(cancel func()) {
				cancel()
				// Time for whoever else may act upon that, on the connection that is in the middle of a load.
				time.Sleep(20 * time.Millisecond)
			},
			func(func()) { panic("in the decoder") },
		} {
			snap := f.answer(db.KindVM, items...)
			if err := f.broken(snap, stop); err == nil {
				f.Errorf("%s: the snapshot was applied", table)
			}
			same(f, table+": rows", before, f.vms())
			same(f, table+": freshness", fresh, f.freshness(db.KindVM))
			same(f, table+": changes", changes, f.number("SELECT count(*) FROM changes"))
		}
	}
	same(f, "afterwards", counts{Created: 2500}, countsOf(f.apply(db.KindVM, items...)))
}

// broken applies a snapshot that stops after 1,800 items.
func (f *fixture) broken(snap db.Snapshot, stop func(cancel func())) (err error) {
	ctx, cancel := context.WithCancel(f.ctx())
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("panic")
		}
	}()
	whole := snap.Changed
	snap.Changed = func(yield func(db.Item) bool) {
		n := 0
		for item := range whole {
			if n++; n == 1800 {
				stop(cancel)
			}
			if !yield(item) {
				return
			}
		}
	}
	_, err = f.s.Apply(ctx, snap)
	return err
}

func racing(f *fixture) {
	const writers, rounds = 4, 5
	var wg sync.WaitGroup
	var mu sync.Mutex
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return f.tick()
	}
	for w := range writers {
		wg.Go(func() {
			for r := range rounds {
				if err := f.race(clock, fmt.Sprintf("u%d", w), r); err != nil {
					f.Errorf("writer %d, round %d: %v", w, r, err)
					return
				}
			}
		})
	}
	wg.Wait()
	same(f, "rows", writers, len(f.vms()))
	same(f, "generation", int64(writers*rounds), f.freshness(db.KindVM).Generation)
	same(f, "changes", int64(writers*rounds), f.number("SELECT count(*) FROM changes"))
}

// race writes one VM until no other writer was faster.
func (f *fixture) race(clock func() time.Time, uuid string, round int) error {
	for {
		record, err := f.s.Fingerprints(f.ctx(), f.cluster.ID, db.KindVM)
		if err != nil {
			return err
		}
		_, err = f.s.Apply(f.ctx(), db.Snapshot{
			ClusterID: f.cluster.ID, Kind: db.KindVM, StartedAt: clock(), Generation: record.Generation,
			Changed: sequence([]db.Item{vm(uuid, fmt.Sprint("name", round))}),
		})
		if !errors.Is(err, db.ErrConflict) {
			return err
		}
	}
}

// cursor follows the changes while two clusters write: none may appear behind the cursor.
func cursor(f *fixture) {
	ids := []int64{f.cluster.ID, f.sync(settings("alpha"), settings("beta"))[1].ID}
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			for g := range 20 {
				_, err := f.s.Apply(f.ctx(), db.Snapshot{
					ClusterID: id, Kind: db.KindVM, StartedAt: time.Now(), Generation: int64(g),
					Changed: sequence([]db.Item{vm("u1", fmt.Sprint("name", g)), vm(fmt.Sprint("v", g), "x")}),
				})
				if err != nil {
					f.Error(err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var after int64
	read := 0
	follow := func() {
		for _, c := range must(f.s.Changes(f.ctx(), after, 7))(f) {
			after = c.ID
			read++
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		follow()
	}
	for last := -1; last != read; follow() {
		last = read
	}
	same(f, "changes read", int(f.number("SELECT count(*) FROM changes")), read)
	same(f, "changes made", 80, read)
}
