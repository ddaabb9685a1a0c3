package updater_test

import (
	"context"
	"sync"
	"testing"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

func TestRefresh_RowsEqualTheCluster(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 60, KVMShare: 0.5, DRBDShare: 0.2, Jobs: 20}, "prod", "other")
		res := r.mustRefresh("prod")
		for kind, want := range map[db.Kind]int{
			db.KindCluster: 1, db.KindVM: 60, db.KindNode: 4, db.KindGroup: 2, db.KindNetwork: 2, db.KindJob: 20,
		} {
			if k, ok := res.Of(kind); !ok || k.Outcome.Created != want || k.Objects != want {
				t.Errorf("%ss: %d in the answer, %d created, want %d", kind, k.Objects, k.Outcome.Created, want)
			}
		}
		r.wantTruth()
		if rows := r.rows("other"); len(rows) != 0 {
			t.Errorf("refreshing one cluster made %d rows of another", len(rows))
		}
	})
}

func TestRefresh_SecondRunChangesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 60, Jobs: 5}, "prod")
		r.mustRefresh("prod")
		before := r.freshness("prod", db.KindVM)
		for _, restarted := range []bool{false, true} {
			if restarted {
				r.restart()
			}
			res := r.mustRefresh("prod")
			wantChanges(t, res)
			if n := res.Total().RowsWritten; n != 0 {
				t.Errorf("after a restart %v: %d rows written, want 0", restarted, n)
			}
		}
		if after := r.freshness("prod", db.KindVM); !after.RefreshedAt.After(*before.RefreshedAt) || after.Generation != before.Generation {
			t.Errorf("freshness went from %+v to %+v; want a newer time and the same generation", before, after)
		}
	})
}

func TestRefresh_ShowsEachChangeAndNothingElse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 20, Nodes: 4}, "prod")
		sim := r.sim()
		vms := sim.Instances()
		r.mustRefresh("prod")
		for _, step := range []struct {
			name string
			do   func() error
			want []string
		}{
			{"nothing", func() error { return nil }, nil},
			{"stop", func() error { return sim.Stop(running(vms)) }, []string{"updated vm " + running(vms)}},
			{"live migration", func() error { return sim.Migrate(vms[1].Name, otherNode(sim, vms[1])) }, []string{"updated vm " + vms[1].Name}},
			{"retag", func() error { return sim.Retag(vms[2].Name, "owner:me") }, []string{"updated vm " + vms[2].Name}},
			{"rename", func() error { return sim.Rename(vms[3].Name, "renamed.example") }, []string{"renamed vm renamed.example"}},
			{"remove", func() error { return sim.Remove(vms[4].Name) }, []string{"removed vm " + vms[4].Name}},
			{"restore", func() error { return sim.Restore(vms[4].Name) }, []string{"restored vm " + vms[4].Name}},
			{"create", func() error { _, err := sim.Create("new.example"); return err }, []string{"created vm new.example"}},
		} {
			t.Run(step.name, func(t *testing.T) {
				must(t, step.do())
				r.t = t
				wantChanges(t, r.mustRefresh("prod"), step.want...)
				r.wantTruth()
			})
		}
	})
}

// wantVMChanges looks at the VMs only.
func wantVMChanges(t *testing.T, res updater.Result, want ...string) {
	t.Helper()
	vms, _ := res.Of(db.KindVM)
	wantChanges(t, updater.Result{Kinds: []updater.KindResult{vms}}, want...)
}

func running(vms []rapisim.Instance) string {
	for _, v := range vms {
		if v.Status == "running" {
			return v.Name
		}
	}
	panic("no VM runs")
}

func otherNode(sim *rapisim.Cluster, v rapisim.Instance) string {
	for _, n := range sim.Nodes() {
		if n.Name != v.PNode && !n.Offline {
			return n.Name
		}
	}
	panic("there is one node only")
}

func TestRefresh_IdentityIsTheUUID(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 20}, "prod")
		sim := r.sim()
		name := sim.Instances()[0].Name
		r.mustRefresh("prod")
		id := r.row(name).ID

		must(t, sim.Rename(name, "renamed.example"))
		r.mustRefresh("prod")
		if got := r.row("renamed.example").ID; got != id {
			t.Errorf("a renamed VM has row %d, want its own, %d", got, id)
		}
		must(t, sim.Remove("renamed.example"))
		r.mustRefresh("prod")
		if row := r.row("renamed.example"); row.ID != id || row.DeletedAt == nil {
			t.Errorf("a removed VM: row %d, deleted at %v; want %d as a tombstone", row.ID, row.DeletedAt, id)
		}
		must(t, sim.Restore("renamed.example"))
		r.mustRefresh("prod")
		if row := r.row("renamed.example"); row.ID != id || row.DeletedAt != nil {
			t.Errorf("a VM that returned: row %d, deleted at %v; want %d, alive", row.ID, row.DeletedAt, id)
		}
	})
}

func TestRefresh_QuarantinesWhatCannotBeParsed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 20}, "prod")
		sim := r.sim()
		vms := sim.Instances()
		r.mustRefresh("prod")
		bad, gone := vms[0].Name, vms[1].Name

		must(t, sim.Corrupt(bad, rapisim.SetField("name", "42")))
		must(t, sim.Remove(gone))
		_, err := sim.Create("new.example")
		must(t, err)
		r.mustRefresh("prod")
		var reasons []string
		r.query(&reasons, "SELECT reason FROM quarantine WHERE uuid = ?", vms[0].UUID)
		if len(reasons) != 1 {
			t.Fatalf("quarantine has %q for the bad item, want one reason", reasons)
		}
		if r.row(bad).DeletedAt != nil {
			t.Error("the VM whose item cannot be parsed was removed")
		}
		if r.row(gone).DeletedAt == nil || r.row("new.example").DeletedAt != nil {
			t.Error("the other changes of the same answer were not applied")
		}
		for range 2 { // it stays in the answer: no new entry, no change
			r.restart()
			wantVMChanges(t, r.mustRefresh("prod"))
		}
		must(t, sim.Corrupt(bad, nil))
		r.mustRefresh("prod")
		r.query(&reasons, "SELECT reason FROM quarantine")
		if len(reasons) != 0 {
			t.Errorf("quarantine still has %q after the item was mended", reasons)
		}
		r.wantTruth()
	})
}

func TestRefresh_UnreadableUUIDWithholdsRemovals(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 20}, "prod")
		sim := r.sim()
		vms := sim.Instances()
		r.mustRefresh("prod")
		must(t, sim.Corrupt(vms[0].Name, rapisim.DropField("uuid")))
		must(t, sim.Remove(vms[1].Name))
		for _, restarted := range []bool{false, false, true} {
			if restarted {
				r.restart()
			}
			if got := updater.Reason(r.refresh("prod").Err()); got != "quarantine" {
				t.Errorf("reason = %q, want quarantine", got)
			}
			if r.row(vms[1].Name).DeletedAt != nil {
				t.Fatal("a VM was removed although the answer holds an item that may be anyone")
			}
		}
		must(t, sim.Corrupt(vms[0].Name, nil))
		r.mustRefresh("prod")
		if r.row(vms[1].Name).DeletedAt == nil {
			t.Error("the removed VM is still there after the item was mended")
		}
		r.wantTruth()
	})
}

func TestRefresh_GuardWithholdsAMassRemoval(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 40}, "prod")
		sim := r.sim()
		vms := sim.Instances()
		r.mustRefresh("prod")
		for _, v := range vms[:20] {
			must(t, sim.Remove(v.Name))
		}
		_, err := sim.Create("new.example")
		must(t, err)
		for snapshot := 1; snapshot <= 3; snapshot++ {
			if snapshot == 2 {
				r.restart() // what is pending is in the database
			}
			res := r.refresh("prod")
			if got := updater.Reason(res.Err()); got != "removals_withheld" {
				t.Fatalf("snapshot %d: reason %q (%v), want removals_withheld", snapshot, got, res.Err())
			}
			if r.row(vms[0].Name).DeletedAt != nil {
				t.Fatalf("snapshot %d: removed although withheld", snapshot)
			}
		}
		if r.row("new.example").DeletedAt != nil {
			t.Error("the addition was withheld, too")
		}
		if f := r.freshness("prod", db.KindVM); f.Pending.Count != 20 || f.ErrorReason != "removals_withheld" || f.ConsecutiveFailures != 3 {
			t.Errorf("freshness while withheld: %+v", f)
		}
		res := r.mustRefresh("prod")
		if vms, _ := res.Of(db.KindVM); vms.Outcome.Removed != 20 {
			t.Errorf("the fourth complete answer removed %d, want 20", vms.Outcome.Removed)
		}
		r.wantTruth()
	})
}

func TestRefresh_JobsAgeOutWithoutTheGuard(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 20, Jobs: 15}, "prod")
		r.mustRefresh("prod")
		for range 15 { // each change adds a job and archives the oldest
			sim := r.sim()
			must(t, sim.Retag(sim.Instances()[0].Name, "x"))
			must(t, sim.Retag(sim.Instances()[0].Name, "y"))
		}
		res := r.mustRefresh("prod")
		if jobs, _ := res.Of(db.KindJob); jobs.Outcome.Removed != 15 || jobs.Outcome.Created != 15 {
			t.Errorf("jobs: %d removed, %d created; want 15 each", jobs.Outcome.Removed, jobs.Outcome.Created)
		}
	})
}

func TestRefresh_TwoUpdatersOnOneDatabase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 20}, "prod")
		sim := r.sim()
		first := r.u
		r.mustRefresh("prod")
		r.restart() // the second one
		for i := range 6 {
			must(t, sim.Retag(sim.Instances()[i].Name, "round"))
			u := r.u
			if i%2 == 0 {
				u = first
			}
			res, err := u.Refresh(t.Context(), "prod", updater.RefreshOptions{All: true})
			must(t, err)
			must(t, res.Err())
			wantVMChanges(t, res, "updated vm "+sim.Instances()[i].Name)
			r.wantTruth()
		}
	})
}

// beatenStore lets another updater apply the same answer first.
type beatenStore struct {
	updater.Store

	once   *sync.Once
	faster func()
}

func (s beatenStore) Apply(ctx context.Context, snap db.Snapshot) (db.Outcome, error) {
	if snap.Kind == db.KindVM {
		s.once.Do(s.faster)
	}
	return s.Store.Apply(ctx, snap)
}

func TestRefresh_AnotherUpdaterWasFaster(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 20}, "prod")
		r.mustRefresh("prod")
		other := r.u
		r.opts.Store = beatenStore{store, new(sync.Once), func() {
			res, err := other.Refresh(t.Context(), "prod", updater.RefreshOptions{All: true})
			if err != nil || res.Err() != nil {
				t.Errorf("the faster updater: %v, %v", err, res.Err())
			}
		}}
		r.restart()
		name := r.sim().Instances()[0].Name
		must(t, r.sim().Retag(name, "x"))
		wantChanges(t, r.mustRefresh("prod")) // the other one's
		var n []int
		r.query(&n, "SELECT count(*) FROM changes WHERE name = ? AND op = 'updated'", name)
		if n[0] != 1 {
			t.Errorf("the change is recorded %d times, want once", n[0])
		}
		r.wantTruth()
	})
}
