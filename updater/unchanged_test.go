package updater_test

import (
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
)

// TestRefresh_UnchangedClusterOf10000VMsWritesNoRow takes PostgreSQL's own word for it: the counters of rows inserted,
// updated and deleted.
func TestRefresh_UnchangedClusterOf10000VMsWritesNoRow(t *testing.T) {
	t.Parallel()
	const vms = 10_000
	url := dbtest.PostgresURL(t)
	var r *rig
	refreshed := func() int64 {
		store, err := db.Open(t.Context(), url, db.Options{})
		must(t, err)
		must(t, store.Migrate(t.Context()))
		if r == nil {
			r = newRig(t, store, rapisim.Options{VMs: vms}, "prod")
		}
		r.opts.Store, r.store = store, store
		r.restart()
		for range 2 { // from the database's record, then from memory
			r.mustRefresh("prod")
		}
		// A session reports its counters at the latest when it ends.
		must(t, store.Close())
		return written(t, url)
	}
	first := refreshed()
	if first != vms {
		t.Fatalf("the first refresh wrote %d rows, want %d: or the counters say nothing", first, vms)
	}
	if n := refreshed(); n != first {
		t.Errorf("refreshing an unchanged cluster wrote %d rows of virtual_machines, want 0", n-first)
	}
}

// written gives the rows ever written to virtual_machines, once all other sessions have ended.
func written(t *testing.T, url string) int64 {
	t.Helper()
	store, err := db.Open(t.Context(), url, db.Options{MaxConns: 1})
	must(t, err)
	defer func() { must(t, store.Close()) }()
	for {
		var others int
		must(t, store.DB().GetContext(t.Context(), &others,
			"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"))
		if others == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond) // polling another process, which tells nobody when it ends
	}
	var n int64
	must(t, store.DB().GetContext(t.Context(), &n,
		"SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = 'virtual_machines'"))
	return n
}
