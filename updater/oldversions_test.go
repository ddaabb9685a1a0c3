package updater_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
)

// TestRefresh_NothingReadable: an answer of which not one item can be read is told of as such. Nothing is removed; the first
// good answer removes what is gone, and no more.
func TestRefresh_NothingReadable(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		t.Helper()
		r := newRig(t, store, rapisim.Options{VMs: 4, Nodes: 2}, "prod")
		r.mustRefresh("prod")
		var broken []string
		for _, vm := range r.rows("prod") {
			broken = append(broken, fmt.Sprintf(`{"uuid": %q, "name": 7}`, vm.UUID))
		}
		r.servers["prod"].Hurt(rapisim.Body([]byte("[" + strings.Join(broken, ", ") + "]")).On("/2/instances"))
		if got := r.refresh("prod").Unreadable(); !slices.Equal(got, []db.Kind{db.KindVM}) {
			t.Errorf("unreadable: %v", got)
		}
		must(t, r.sim().Remove(r.sim().Instances()[0].Name))
		r.servers["prod"].Heal()
		if got := r.mustRefresh("prod").Unreadable(); got != nil {
			t.Errorf("unreadable, healed: %v", got)
		}
		r.wantTruth()
	})
}

// TestRefresh_KindNotServed: versions of Ganeti before 2.4 have no groups, those before 2.7 no networks. That is no failure,
// unless there were some: then their rows stay.
func TestRefresh_KindNotServed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		t.Helper()
		r := newRig(t, store, rapisim.Options{VMs: 2, Nodes: 2, Networks: 2}, "prod")
		absent := []rapisim.Fault{rapisim.Status(http.StatusNotFound).On("/2/groups"), rapisim.Status(http.StatusNotFound).On("/2/networks")}
		r.servers["prod"].Hurt(absent...)
		for range 2 {
			r.mustRefresh("prod")
		}
		r.wantTruth()
		r.servers["prod"].Heal()
		r.mustRefresh("prod")
		live := func() int {
			var networks []string
			r.query(&networks, "SELECT name FROM networks WHERE deleted_at IS NULL")
			return len(networks)
		}
		if live() != 2 {
			t.Fatalf("%d networks after they were served", live())
		}
		r.servers["prod"].Hurt(absent...)
		if err := r.refresh("prod").Err(); err == nil || live() != 2 {
			t.Errorf("with networks on record: %v, %d live", err, live())
		}
	})
}
