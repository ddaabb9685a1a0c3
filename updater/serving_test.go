package updater_test

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// another starts a second server, for the same cluster or another one, and lists it as the second address of prod.
func (r *rig) another(c *rapisim.Cluster) *rapisim.Server {
	r.t.Helper()
	second, err := rapisim.NewServer(c)
	must(r.t, err)
	r.t.Cleanup(second.Close)
	settings := r.opts.Clusters[0].Settings
	r.opts.Clusters[0].Settings = func() (ganeti.Settings, error) {
		s, err := settings()
		s.URL += "," + second.URL()
		return s, err
	}
	r.freshProcess()
	return second
}

// stranger is another cluster that knows the same password. With the domain "example" its VMs have names of prod's.
func stranger(domain string) *rapisim.Cluster {
	return rapisim.NewCluster(rapisim.Options{
		Name: "other.example", Domain: domain, Seed: 99, VMs: 3, Username: "gwm", Password: password,
	})
}

// freshProcess is restart for tests in which the clients' memory counts.
func (r *rig) freshProcess() {
	r.t.Helper()
	pool := ganeti.NewPool([]byte("a key of tests"))
	r.opts.Connect = func(s ganeti.Settings) (updater.Source, error) { return pool.Get(s) }
	r.opts.Hash, r.opts.Retain = pool.Hash, pool.Retain
	r.restart()
}

// wantServing checks the address that readers find with the cluster prod.
func (r *rig) wantServing(s *rapisim.Server) {
	r.t.Helper()
	var got []struct {
		Host string `db:"rapi_host"`
		Port int    `db:"rapi_port"`
	}
	r.query(&got, "SELECT rapi_host, rapi_port FROM clusters WHERE name = ?", "prod")
	if at := net.JoinHostPort(got[0].Host, strconv.Itoa(got[0].Port)); at != s.Addr() {
		r.t.Errorf("the address on record is %s, want %s", at, s.Addr())
	}
}

func (r *rig) wantMoves(n int) {
	r.t.Helper()
	if got := r.logs.FilterMessage("RAPI is served by another address").Len(); got != n {
		r.t.Errorf("%d lines of the log say that the address changed, want %d", got, n)
	}
}

func TestRefresh_Failover(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 8}, "prod")
		first := r.servers["prod"]
		second := r.another(r.sim())
		r.mustRefresh("prod")
		r.wantServing(first)
		r.wantMoves(0)
		before := r.rows("prod")

		first.Hurt(rapisim.Status(502))
		wantChanges(t, r.mustRefresh("prod"))
		if diff := cmp.Diff(before, r.rows("prod")); diff != "" {
			t.Errorf("rows changed (-before +after):\n%s", diff)
		}
		r.wantServing(second)
		r.wantMoves(1)
		line := r.logs.FilterMessage("RAPI is served by another address").All()[0].ContextMap()
		if diff := cmp.Diff(map[string]any{"cluster": "prod", "from": first.Addr(), "to": second.Addr()}, line); diff != "" {
			t.Errorf("the line of the log (-want +got):\n%s", diff)
		}

		// Remembered by the process, by the next process, and by one that never refreshed before.
		first.Heal()
		first.Forget()
		r.mustRefresh("prod")
		r.freshProcess()
		r.wantServing(second)
		r.mustRefresh("prod")
		if n := first.Total(); n != 0 {
			t.Errorf("the first address was asked %d times", n)
		}
		r.wantMoves(1)

		// And back.
		second.Hurt(rapisim.Refuse())
		r.mustRefresh("prod")
		r.wantServing(first)
		r.wantMoves(2)
	})
}

// TestRefresh_FailoverSeenByAnother has one process see a failover and back, and another one only the first state: the
// address on record must be right whoever refreshes.
func TestRefresh_FailoverSeenByAnother(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 4}, "prod")
		first := r.servers["prod"]
		second := r.another(r.sim())
		r.mustRefresh("prod")
		one := r.u

		first.Hurt(rapisim.Status(502))
		master := r.sim().Master()
		must(t, r.sim().SetMaster(r.sim().Nodes()[1].Name))
		r.freshProcess()
		r.mustRefresh("prod")
		r.wantServing(second)

		first.Heal()
		second.Hurt(rapisim.Refuse())
		must(t, r.sim().SetMaster(master))
		r.u = one
		r.mustRefresh("prod")
		r.wantServing(first)
	})
}

func TestRefresh_FailoverInTheMiddle(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 8}, "prod")
		first := r.servers["prod"]
		second := r.another(r.sim())
		r.mustRefresh("prod")
		gone := r.sim().Instances()[0].Name
		must(t, r.sim().Remove(gone))
		before, age := r.rows("prod"), r.freshness("prod", db.KindVM)

		first.Hurt(rapisim.Status(502).On("/2/instances", "/2/jobs"))
		res := r.refresh("prod")
		var moved *updater.MovedError
		if !errors.As(res.Err(), &moved) || updater.Reason(res.Err()) != "moved" || moved.To.String() != second.Addr() {
			t.Errorf("got %v (%s)", res.Err(), updater.Reason(res.Err()))
		}
		if diff := cmp.Diff(before, r.rows("prod")); diff != "" {
			t.Errorf("rows changed (-before +after):\n%s", diff)
		}
		f := r.freshness("prod", db.KindVM)
		if !f.RefreshedAt.Equal(*age.RefreshedAt) || !strings.Contains(f.Error, second.Addr()) || f.ErrorReason != "moved" {
			t.Errorf("freshness: %+v", f)
		}
		if n := second.Count("/2/jobs"); n != 0 {
			t.Errorf("the new address was asked for %d more lists that nobody would believe", n)
		}
		r.wantServing(first)

		wantChanges(t, r.mustRefresh("prod"), "removed vm "+gone)
		r.wantTruth()
		r.wantServing(second)
	})
}

// TestRefresh_SecondAddressIsAnotherCluster has the configuration list an address of another cluster.
func TestRefresh_SecondAddressIsAnotherCluster(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		fault  rapisim.Fault
		reason string
	}{
		{"from the beginning", rapisim.Refuse(), "other_cluster"},
		{"in the middle", rapisim.Status(502).On("/2/instances"), "moved"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, store *db.Store) {
				r := newRig(t, store, rapisim.Options{VMs: 8}, "prod")
				first := r.servers["prod"]
				r.another(stranger("example"))
				r.mustRefresh("prod")
				before, age := r.rows("prod"), r.freshness("prod", db.KindVM)

				first.Hurt(tt.fault)
				for range 3 {
					res := r.refresh("prod")
					reason := updater.Reason(res.Err())
					if reason != tt.reason && reason != "other_cluster" {
						t.Errorf("got %v (%s)", res.Err(), reason)
					}
				}
				if diff := cmp.Diff(before, r.rows("prod")); diff != "" {
					t.Errorf("rows changed (-before +after):\n%s", diff)
				}
				if f := r.freshness("prod", db.KindVM); !f.RefreshedAt.Equal(*age.RefreshedAt) {
					t.Errorf("freshness: %+v", f)
				}
				r.wantServing(first)
				r.wantMoves(0)

				// Whichever was asked last, the right one is found again.
				first.Heal()
				if r.refresh("prod").Err() != nil {
					r.mustRefresh("prod")
				}
				r.wantTruth()
			})
		})
	}
}

// TestReader_BelievesNoAddressUnasked has another cluster answer when a reader asks about a VM: that it knows none of the
// name, after the right one has shown its uuid, or that it has one itself.
func TestReader_BelievesNoAddressUnasked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, domain, reason string }{
		{"silence", "elsewhere.example", "moved"},
		{"a VM of the same name", "example", "other_cluster"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, store *db.Store) {
				r, _ := old(t, store, rapisim.Options{VMs: 5})
				second := r.another(stranger(tt.domain))
				reader := updater.NewReader(updater.ReaderOptions{Store: store, Updater: r.u})
				before := r.rows("prod")
				name := r.sim().Instances()[0].Name

				r.servers["prod"].Hurt(rapisim.Status(502).On("/2/instances/*"))
				got, err := reader.VM(t.Context(), ref(name), nil)
				must(t, err)
				if updater.Reason(got.Err) != tt.reason {
					t.Errorf("got %v", got.Err)
				}
				if second.Total() == 0 {
					t.Error("the second address was not asked")
				}
				if diff := cmp.Diff(before, r.rows("prod")); diff != "" {
					t.Errorf("rows changed (-before +after):\n%s", diff)
				}
			})
		})
	}
}

func TestUpdater_DryRunRecordsNoAddress(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 4}, "prod")
		first := r.servers["prod"]
		r.another(r.sim())
		r.mustRefresh("prod")
		first.Hurt(rapisim.Status(502))
		r.opts.DryRun = true
		r.freshProcess()
		r.mustRefresh("prod")
		r.wantServing(first)
		r.wantMoves(0)
	})
}
