package dbtest

import (
	"fmt"
	"time"

	"ganeticache/db"
)

// many returns n VMs.
func many(n int) []db.Item {
	items := make([]db.Item, n)
	for i := range items {
		items[i] = vm(fmt.Sprintf("u%04d", i), fmt.Sprintf("vm%04d", i))
	}
	return items
}

func guardWithholds(f *fixture) {
	items := many(20)
	f.apply(db.KindVM, items...)
	refreshed := f.now
	pending := db.Pending{Count: 19, Digest: "abc", Seen: 1}
	short := f.answer(db.KindVM, items[0], vm("new", "new"))
	short.Guard = func(db.Removals) db.Decision {
		return db.Decision{Pending: pending, Error: "19 of 20 would be removed", Reason: "guard"}
	}
	out := f.applySnapshot(short)
	same(f, "outcome", counts{Created: 1}, countsOf(out))
	same(f, "withheld", 19, len(out.Withheld))
	same(f, "live", 21, len(f.live()))
	fresh := f.freshness(db.KindVM)
	same(f, "freshness", db.Freshness{
		ClusterID: f.cluster.ID, Kind: db.KindVM, AttemptedAt: &f.now, RefreshedAt: &refreshed, SnapshotAt: &f.now, DurationMS: 1500,
		Bytes: 4711, Objects: 2, Error: "19 of 20 would be removed", ErrorReason: "guard", ConsecutiveFailures: 1,
		NextDueAt: new(f.now.Add(time.Minute)), Generation: 2, Pending: pending,
		AttemptTicket: f.asked, SnapshotTicket: f.asked,
	}, fresh)

	// Allowed at last: the removals are made and nothing stays pending.
	short = f.answer(db.KindVM, items[0], vm("new", "new"))
	short.Guard = func(r db.Removals) db.Decision {
		same(f, "pending", pending, r.Pending)
		return db.Decision{Allow: true}
	}
	same(f, "outcome", counts{Removed: 19}, countsOf(f.applySnapshot(short)))
	fresh = f.freshness(db.KindVM)
	same(f, "pending", db.Pending{}, fresh.Pending)
	same(f, "error", "", fresh.Error)
	same(f, "failures", 0, fresh.ConsecutiveFailures)
	same(f, "refreshed", f.now, *fresh.RefreshedAt)
}

func guardSees(f *fixture) {
	items := many(6)
	f.apply(db.KindVM, items...)
	f.apply(db.KindVM, items[:5]...) // u0005 is a tombstone
	snap := f.answer(db.KindVM, items[0], vm("u0001", "renamed"), items[5], vm("new", "new"), broken("u0002", "{}"))
	asked := 0
	snap.Guard = func(r db.Removals) db.Decision {
		asked++
		same(f, "removals", db.Removals{Live: 5, Absent: []string{"u0003", "u0004"}}, r)
		return db.Decision{}
	}
	out := f.applySnapshot(snap)
	same(f, "asked", 1, asked)
	same(f, "outcome", counts{Created: 1, Renamed: 1, Restored: 1, Quarantined: 1}, countsOf(out))
	same(f, "withheld", []string{"u0003", "u0004"}, out.Withheld)
	same(f, "an error is there in any case", "2 removals withheld", f.freshness(db.KindVM).Error)
	// Nothing absent: not asked, and the error is cleared.
	all := f.answer(db.KindVM, append(many(6), vm("new", "new"))...)
	all.Guard = snap.Guard
	f.applySnapshot(all)
	same(f, "asked", 1, asked)
	same(f, "error", "", f.freshness(db.KindVM).Error)
}

func purge(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"), vm("u3", "mail"))
	f.mustWrite("INSERT INTO permissions (subject, permission, vm_id) SELECT 'alice', 'admin', id FROM virtual_machines")
	f.apply(db.KindVM, vm("u2", "db"), vm("u3", "mail"))
	first := f.now
	f.apply(db.KindVM, vm("u3", "mail"))
	same(f, "purged", int64(0), must(f.s.Purge(f.ctx(), first))(f))
	same(f, "purged", int64(1), must(f.s.Purge(f.ctx(), first.Add(time.Second)))(f))
	same(f, "rows", 2, len(f.vms()))
	same(f, "permissions", int64(2), f.number("SELECT count(*) FROM permissions"))
	ops, _ := f.ops(0)
	same(f, "changes outlive the row, and tell its end", []string{
		"created web", "created db", "created mail", "removed web", "removed db", "purged web",
	}, ops)
	same(f, "a later return is another object", counts{Created: 1}, countsOf(f.apply(db.KindVM, vm("u1", "web"), vm("u3", "mail"))))
}

func quarantineLifecycle(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	generation := func() int64 { return f.freshness(db.KindVM).Generation }
	bad, worse := broken("u2", `{"uuid": "u2", "name": 5}`), broken("u2", `{"uuid": "u2", "name": 6}`)

	out := f.apply(db.KindVM, vm("u1", "web"), bad)
	same(f, "outcome", counts{Quarantined: 1}, countsOf(out))
	same(f, "quarantine", map[string]string{string(bad.Raw): "name is a number"}, f.quarantine())
	same(f, "live", map[string]string{"u1": "web"}, f.live())
	same(f, "generation", int64(2), generation())
	same(f, "seen again", db.Outcome{Generation: 2}, f.apply(db.KindVM, vm("u1", "web"), bad))

	f.apply(db.KindVM, vm("u1", "web"), worse)
	same(f, "other content", map[string]string{string(worse.Raw): "name is a number"}, f.quarantine())
	out = f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	same(f, "mended", counts{Created: 1}, countsOf(out))
	same(f, "quarantine", map[string]string{}, f.quarantine())

	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"), broken("u3", "[]"))
	out = f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	same(f, "gone", counts{}, countsOf(out))
	same(f, "quarantine", map[string]string{}, f.quarantine())
	same(f, "generation", int64(6), generation())
}

func keyless(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	refreshed := f.now
	lost := broken("", `{"uuid": null}`)
	for range 2 { // the item withholds removals as long as it is there, known or not
		snap := f.answer(db.KindVM, vm("u1", "www"), lost)
		snap.Guard = func(db.Removals) db.Decision {
			f.Error("the guard was asked")
			return db.Decision{Allow: true}
		}
		out := f.applySnapshot(snap)
		same(f, "withheld", []string{"u2"}, out.Withheld)
		same(f, "live", map[string]string{"u1": "www", "u2": "db"}, f.live())
		fresh := f.freshness(db.KindVM)
		same(f, "refreshed", refreshed, *fresh.RefreshedAt)
		same(f, "reason", db.ReasonUnreadable, fresh.ErrorReason)
	}
	// With nothing absent it does no harm.
	out := f.apply(db.KindVM, vm("u1", "www"), vm("u2", "db"), lost)
	same(f, "outcome", counts{Quarantined: 1}, countsOf(out))
	same(f, "rows written", int64(0), out.RowsWritten)
	same(f, "refreshed", f.now, *f.freshness(db.KindVM).RefreshedAt)
	out = f.apply(db.KindVM, vm("u1", "www"))
	same(f, "outcome without it", counts{Removed: 1}, countsOf(out))
	same(f, "quarantine", map[string]string{}, f.quarantine())
}

func quarantinedStays(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	bad := broken("u2", `{"uuid": "u2"}`)
	for range 2 {
		f.apply(db.KindVM, vm("u1", "web"), bad)
		same(f, "live", map[string]string{"u1": "web", "u2": "db"}, f.live())
	}
	out := f.apply(db.KindVM, vm("u1", "web"))
	same(f, "really gone", counts{Removed: 1}, countsOf(out))
	same(f, "quarantine", map[string]string{}, f.quarantine())
}

func twice(f *fixture) {
	out := f.apply(db.KindVM, vm("u1", "web"), vm("u1", "www"), vm("u2", "db"))
	same(f, "outcome", counts{Created: 2, Quarantined: 1}, countsOf(out))
	same(f, "the first wins", map[string]string{"u1": "web", "u2": "db"}, f.live())
	for _, reason := range f.quarantine() {
		same(f, "reason", "uuid u1 appears twice in the answer", reason)
	}
	out = f.apply(db.KindVM, vm("u1", "web"), vm("u1", "www"), vm("u2", "db"))
	same(f, "again", int64(0), out.RowsWritten)
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	same(f, "quarantine", map[string]string{}, f.quarantine())
	same(f, "an object without uuid", counts{Quarantined: 1}, countsOf(f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"), vm("", "x"))))
}

func oldContentReturns(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	f.apply(db.KindVM, broken("u1", "{}"))
	same(f, "quarantined", 1, len(f.quarantine()))
	same(f, "outcome", counts{}, countsOf(f.apply(db.KindVM, vm("u1", "web"))))
	same(f, "quarantine", map[string]string{}, f.quarantine())
}
