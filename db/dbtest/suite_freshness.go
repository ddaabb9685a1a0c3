package dbtest

import (
	"fmt"
	"strings"
	"time"

	"ganeticache/db"
)

func (f *fixture) touches(generation int64, kinds ...db.Kind) []db.Touch {
	asked := f.ask()
	var t []db.Touch
	for _, k := range kinds {
		t = append(t, db.Touch{
			Kind: k, StartedAt: asked.At, Ticket: asked.Number, Duration: 20 * time.Millisecond, Bytes: 5, Objects: 6,
			NextDue: f.now.Add(time.Minute), Generation: generation,
		})
	}
	return t
}

func touch(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	f.apply(db.KindNode, node("n1", "node1"))
	must(f.s.RecordFailure(f.ctx(), f.cluster.ID, db.Failure{Kinds: []db.Kind{db.KindVM}, AttemptedAt: f.tick(), Error: "x"}))(f)
	before := f.vms()
	if err := f.s.TouchFresh(f.ctx(), f.cluster.ID, nil, f.touches(1, db.KindVM, db.KindNode)); err != nil {
		f.Fatal(err)
	}
	for _, k := range []db.Kind{db.KindVM, db.KindNode} {
		same(f, string(k), db.Freshness{
			ClusterID: f.cluster.ID, Kind: k, AttemptedAt: &f.now, RefreshedAt: &f.now, SnapshotAt: &f.now, DurationMS: 20, Bytes: 5,
			Objects: 6, NextDueAt: new(f.now.Add(time.Minute)), Generation: 1, AttemptTicket: f.asked, SnapshotTicket: f.asked,
		}, f.freshness(k))
	}
	same(f, "rows", before, f.vms())
	// A kind that was never there, and no next time.
	never := f.touches(0, db.KindJob)
	never[0].NextDue = time.Time{}
	if err := f.s.TouchFresh(f.ctx(), f.cluster.ID, nil, never); err != nil {
		f.Fatal(err)
	}
	same(f, "refreshed", f.now, *f.freshness(db.KindJob).RefreshedAt)
	if due := f.freshness(db.KindJob).NextDueAt; due != nil {
		f.Errorf("next due is %v", due)
	}
}

func touchConflicts(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	before := f.freshness(db.KindVM)
	wantError(f, db.ErrConflict, f.s.TouchFresh(f.ctx(), f.cluster.ID, nil, f.touches(0, db.KindVM)))
	old := f.touches(1, db.KindVM)
	old[0].Ticket = before.SnapshotTicket - 1
	wantError(f, db.ErrConflict, f.s.TouchFresh(f.ctx(), f.cluster.ID, nil, old))
	same(f, "freshness", before, f.freshness(db.KindVM))
	wantError(f, db.ErrNotFound, f.s.TouchFresh(f.ctx(), 4711, nil, f.touches(1, db.KindVM)))
}

func failures(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	refreshed, good := f.now, f.freshness(db.KindVM)
	fail := func() int {
		asked := f.ask()
		return must(f.s.RecordFailure(f.ctx(), f.cluster.ID, db.Failure{
			Kinds: []db.Kind{db.KindVM, db.KindNode}, AttemptedAt: asked.At, Ticket: asked.Number, Error: "HTTP 502\x00\xff", Reason: "status",
			NextDue: func(n int) time.Time { return f.now.Add(time.Duration(n) * time.Hour) },
		}))(f)
	}
	same(f, "failures", 1, fail())
	same(f, "failures", 2, fail())
	want := good
	want.AttemptedAt, want.Error, want.ErrorReason, want.ConsecutiveFailures = &f.now, "HTTP 502\uFFFD\uFFFD", "status", 2
	want.NextDueAt, want.AttemptTicket = new(f.now.Add(2*time.Hour)), f.asked
	same(f, "freshness", want, f.freshness(db.KindVM))
	if at := f.freshness(db.KindNode).RefreshedAt; at != nil {
		f.Errorf("a failed kind is refreshed at %v", at)
	}
	same(f, "the rows' age", refreshed, *f.freshness(db.KindVM).RefreshedAt)

	late := f.ask()
	f.apply(db.KindVM, vm("u1", "web"))
	got := f.freshness(db.KindVM)
	same(f, "error", "", got.Error+got.ErrorReason)
	same(f, "failures", 0, got.ConsecutiveFailures)
	// A failure older than the success does not count.
	old := db.Failure{Kinds: []db.Kind{db.KindVM}, AttemptedAt: f.now.Add(time.Minute), Ticket: late.Number, Error: "late"}
	same(f, "failures", 0, must(f.s.RecordFailure(f.ctx(), f.cluster.ID, old))(f))
	same(f, "freshness", got, f.freshness(db.KindVM))
}

func status(f *fixture) {
	f.sync(settings("alpha"), settings("beta"))
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"), broken("u3", "{}"))
	f.apply(db.KindVM, vm("u1", "web"), broken("u3", "{}"))
	f.apply(db.KindNode, node("n1", "node1"))
	got := must(f.s.Status(f.ctx()))(f)
	same(f, "clusters", 2, len(got))
	alpha, beta := got[0], got[1]
	same(f, "name", "alpha", alpha.Name)
	same(f, "live", map[db.Kind]int{db.KindVM: 1, db.KindNode: 1}, alpha.Live)
	same(f, "quarantined", 1, alpha.Quarantined)
	same(f, "freshness", []db.Freshness{f.freshness(db.KindNode), f.freshness(db.KindVM)}, alpha.Freshness)
	same(f, "live", map[db.Kind]int{}, beta.Live)
	same(f, "freshness", 0, len(beta.Freshness))
}

func views(f *fixture) {
	// One runs, one is stopped and keeps its disk, the node of one is down, one is gone.
	stopped := func(v *db.VM) { v.OperState, v.OperMemoryMiB, v.Status = new(false), nil, "ADMIN_down" }
	lost := func(v *db.VM) {
		v.OperState, v.OperMemoryMiB, v.Status, v.AdminState = nil, nil, "ERROR_nodedown", "up"
	}
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "off", stopped), vm("u3", "gone"), vm("u4", "lost", lost))
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "off", stopped), vm("u4", "lost", lost))
	f.apply(db.KindNode, node("n1", "node1"), node("n2", "node2"))
	same(f, "vms", int64(3), f.number("SELECT count(*) FROM vms WHERE cluster = 'alpha' AND credentials_hash = 'h-alpha' AND rapi_port = 5080"))
	for query, want := range map[string]int64{
		"SELECT nodes FROM cluster_usage":                                                          131072 / 65536,
		"SELECT vms FROM cluster_usage":                                                            3,
		"SELECT vms_running FROM cluster_usage":                                                    1,
		"SELECT memory_total_mib FROM cluster_usage":                                               131072,
		"SELECT memory_free_mib FROM cluster_usage":                                                2000,
		"SELECT memory_allocated_mib FROM cluster_usage":                                           2 * 1024,
		"SELECT disk_total_mib FROM cluster_usage":                                                 200000,
		"SELECT disk_free_mib FROM cluster_usage":                                                  100000,
		"SELECT disk_allocated_mib FROM cluster_usage":                                             3 * 10240,
		"SELECT cpus_total FROM cluster_usage":                                                     32,
		"SELECT cpus_free FROM cluster_usage":                                                      28,
		"SELECT cpus_allocated FROM cluster_usage":                                                 4,
		"SELECT count(*) FROM cluster_status":                                                      2,
		"SELECT count(*) FROM cluster_status WHERE kind = 'vm' AND error = '' AND age_seconds > 0": 1,
	} {
		same(f, query, want, f.number(query))
	}
	cachedAt := func() string {
		var at string
		err := f.s.DB().GetContext(f.ctx(), &at, "SELECT CAST(cached_at AS TEXT) FROM vms WHERE uuid = 'u1'")
		return must(at, err)(f)
	}
	// The VM is as fresh as the newest complete answer, unless that answer's item was not understood.
	vms, fresh := f.vms(), f.freshness(db.KindVM)
	want := func(at time.Time) {
		f.Helper()
		if got := cachedAt(); !strings.HasPrefix(got, at.Format("2006-01-02 15:04:05.999999")) {
			f.Errorf("cached_at is %s, want %s", got, at)
		}
	}
	want(*fresh.RefreshedAt)
	f.apply(db.KindVM, broken("u1", "{}"))
	want(vms["u1"].Seen)
	if fmt.Sprint(vms["u1"].Seen) == fmt.Sprint(*fresh.RefreshedAt) {
		f.Error("the test shows nothing: both times are the same")
	}
}
