package updater_test

import (
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// One cluster in trouble takes neither the age of the others nor its own error's name.
func TestReader_AListTellsEachClusterInTrouble(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 3}, "dead", "never", "well")
		r.opts.Store = agedStore{store, 2 * time.Hour}
		r.restart()
		r.mustRefresh("dead")
		r.opts.Store = store
		r.restart()
		r.servers["dead"].Hurt(rapisim.Refuse())
		r.servers["never"].Hurt(rapisim.Status(401))
		r.mustRefresh("well")
		reader := updater.NewReader(updater.ReaderOptions{Store: store, Updater: r.u})
		for range 2 { // the second time the failures are remembered
			got, err := reader.VMs(t.Context(), db.VMFilter{})
			must(t, err)
			if len(got.Value.Items) != 6 || got.RefreshedAt.IsZero() || got.Age > time.Minute || got.Err == nil {
				t.Errorf("%d VMs, age %s (%s), error %v", len(got.Value.Items), got.Age, got.RefreshedAt, got.Err)
			}
			if len(got.Errors) != 2 || got.Errors[0].Cluster != "dead" || got.Errors[1].Cluster != "never" {
				t.Fatalf("errors: %+v", got.Errors)
			}
			dead, never := got.Errors[0], got.Errors[1]
			if updater.Reason(dead.Err) != "unreachable" || dead.RefreshedAt == nil || time.Since(*dead.RefreshedAt) < time.Hour {
				t.Errorf("dead: %q at %v: %v", updater.Reason(dead.Err), dead.RefreshedAt, dead.Err)
			}
			if updater.Reason(never.Err) != "unauthorized" || never.RefreshedAt != nil {
				t.Errorf("never: %q at %v: %v", updater.Reason(never.Err), never.RefreshedAt, never.Err)
			}
		}
		only, err := reader.VMs(t.Context(), db.VMFilter{Clusters: []string{"never", "well"}}, updater.CacheOnly())
		must(t, err)
		if len(only.Errors) != 1 || updater.Reason(only.Errors[0].Err) != "never_refreshed" || only.RefreshedAt.IsZero() {
			t.Errorf("of the cache only: %+v", only)
		}
	})
}
