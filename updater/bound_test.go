package updater_test

import (
	"fmt"
	"testing"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// Single answers of 404 remove as many VMs as a complete answer might without confirmation; then a complete one is asked
// for, and what that lacks is the guard's.
func TestReader_ManyLostOneByOneAreConfirmed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r, reader := old(t, store, rapisim.Options{VMs: 60})
		all := r.sim().Instances()
		for _, v := range all[:50] {
			must(t, r.sim().Remove(v.Name))
		}
		var withheld int
		for i, v := range all[:50] {
			// Several processes read.
			which := reader
			if i%2 == 1 {
				which = updater.NewReader(updater.ReaderOptions{Store: store, Updater: r.u})
			}
			if _, err := which.VM(t.Context(), ref(v.Name), nil, updater.MustBeFresh()); updater.Reason(err) == "removals_withheld" {
				withheld++
			}
		}
		if n := len(r.live()); n != 60-60/4 {
			t.Errorf("%d of 60 are left after 50 single reads", n)
		}
		if withheld < 30 {
			t.Errorf("%d reads were told that the removal is withheld", withheld)
		}
		if n := r.servers["prod"].Count("/2/instances"); n != 1 {
			t.Errorf("%d complete answers were asked for by readers", n)
		}
		f := r.freshness("prod", db.KindVM)
		if f.Pending.Count != 35 || f.Pending.Seen != 1 {
			t.Errorf("pending: %+v", f.Pending)
		}
		// It was true: confirmed by complete answers, they go.
		for range 3 {
			r.refresh("prod")
		}
		r.wantTruth()
	})
}

// Single answers of 404 that the complete answer belies remove few, and what they removed comes back.
func TestReader_LossesThatACompleteAnswerBelies(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r, reader := old(t, store, rapisim.Options{VMs: 60})
		all := r.sim().Instances()
		var faults []rapisim.Fault
		for _, v := range all {
			faults = append(faults, rapisim.Status(404).On("/2/instances/"+v.Name, "/2/instances/"+v.UUID))
		}
		r.servers["prod"].Hurt(faults...)
		for _, v := range all {
			reader.VM(t.Context(), ref(v.Name), nil, updater.MustBeFresh()) //nolint:errcheck // only the rows count
		}
		if n := len(r.live()); n < 60-60/4 {
			t.Errorf("%d of 60 are left", n)
		}
		r.servers["prod"].Heal()
		r.mustRefresh("prod")
		r.wantTruth()
	})
}

// renew replaces every VM of the simulated cluster by a new one.
func (r *rig) renew(round int) {
	r.t.Helper()
	for i, v := range r.sim().Instances() {
		must(r.t, r.sim().Remove(v.Name))
		if _, err := r.sim().Create(fmt.Sprintf("r%d-%d.example", round, i)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// A cluster that shows other VMs in each answer does not fill the database; one that was rebuilt once is believed after
// three further answers.
func TestRefresh_OtherObjectsInEachAnswer(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		const vms, most = 30, 2*30 + 10
		r := newRig(t, store, rapisim.Options{VMs: vms}, "prod")
		r.mustRefresh("prod")
		for round := range 12 {
			r.renew(round)
			if round%3 == 2 {
				r.restart() // what a process remembers makes no difference
			}
			res := r.refresh("prod")
			if updater.Reason(res.Err()) != "removals_withheld" {
				t.Fatalf("round %d: %v", round, res.Err())
			}
			if n := len(r.rows("prod")); n > most {
				t.Fatalf("round %d: %d rows of a cluster of %d VMs", round, n, vms)
			}
		}
		f := r.freshness("prod", db.KindVM)
		if f.ErrorReason != "removals_withheld" || f.Pending.Count == 0 {
			t.Errorf("the status says %q, pending %+v", f.Error, f.Pending)
		}
		// It settles: what is there now is taken in once the operator has let the rest go.
		if _, err := store.ApproveRemovals(t.Context(), "prod"); err != nil {
			t.Fatal(err)
		}
		r.refresh("prod")
		r.mustRefresh("prod")
		r.wantTruth()

		// Rebuilt once, it needs nobody.
		r.renew(99)
		for range 4 {
			r.refresh("prod")
		}
		r.mustRefresh("prod")
		r.wantTruth()
	})
}

// The bound never bites a first load, growth, or loss within the guard's limits.
func TestGuard_MaxLive(t *testing.T) {
	t.Parallel()
	g := updater.DefaultGuard()
	for _, tt := range []struct {
		name                  string
		before, objects, live int
	}{
		{"a first load", 0, 10_000, 10_000},
		{"growth a hundredfold", 100, 10_000, 10_000},
		{"rebuilt", 1000, 1000, 2000},
		{"rebuilt larger", 1000, 3000, 4000},
		{"most are away and some are new", 1000, 110, 1000 + 110},
	} {
		if most := g.MaxLive(tt.before, tt.objects); tt.live > most {
			t.Errorf("%s: %d would be live, the bound is %d", tt.name, tt.live, most)
		}
	}
}
