package updater_test

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// watchingStore notes by how much garbage the collector is triggered while each kind is applied.
type watchingStore struct {
	updater.Store

	seen map[db.Kind]uint64
}

func (s watchingStore) Apply(ctx context.Context, snap db.Snapshot) (db.Outcome, error) {
	s.seen[snap.Kind] = gcPercent()
	return s.Store.Apply(ctx, snap)
}

func gcPercent() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// Memory is saved while hundreds of rows are applied, and only then; an operator who saves more is heeded.
//
//nolint:paralleltest // the garbage collector is the whole process's
func TestRefresh_CollectsGarbageEarlier(t *testing.T) {
	for _, tt := range []struct{ usual, large uint64 }{{100, 50}, {20, 20}} {
		before := debug.SetGCPercent(int(tt.usual))
		t.Cleanup(func() { debug.SetGCPercent(before) })
		r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 600, Nodes: 4}, "prod")
		seen := map[db.Kind]uint64{}
		r.opts.Store = watchingStore{r.store, seen}
		r.restart()
		r.mustRefresh("prod")
		want := map[db.Kind]uint64{db.KindVM: tt.large, db.KindNode: tt.usual, "afterwards": tt.usual}
		got := map[db.Kind]uint64{db.KindVM: seen[db.KindVM], db.KindNode: seen[db.KindNode], "afterwards": gcPercent()}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("usually %d: %s", tt.usual, diff)
		}
	}
}
