package updater_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// second gives the rig a second name of the cluster prod.
func (r *rig) second(name string) {
	r.servers[name] = r.servers["prod"]
	r.opts.Clusters = append(r.opts.Clusters, r.cluster(name))
}

// only lets the rig know these clusters alone.
func (r *rig) only(names ...string) {
	r.opts.Clusters = slices.DeleteFunc(slices.Clone(r.opts.Clusters), func(c updater.Cluster) bool { return !slices.Contains(names, c.Name) })
}

func (r *rig) number(query string) int {
	r.t.Helper()
	var n []int
	r.query(&n, query)
	return n[0]
}

// passwords gives a function that has all clusters look as if their password had changed.
func (r *rig) passwords() (change func()) {
	var changed atomic.Bool
	hash := r.opts.Hash
	r.opts.Hash = func(s ganeti.Settings) (string, error) {
		h, err := hash(s)
		if changed.Load() {
			h += " changed"
		}
		return h, err
	}
	r.restart()
	return func() { changed.Store(true) }
}

// wantTwin wants a refresh to be refused because the cluster is cached as prod.
func (r *rig) wantTwin(res updater.Result) {
	r.t.Helper()
	err, ok := errors.AsType[*db.DuplicateError](res.Err())
	if !ok || err.Twin != "prod" || updater.Reason(res.Err()) != "duplicate_cluster" {
		r.t.Errorf("%s: %v, reason %s", res.Cluster, res.Err(), updater.Reason(res.Err()))
	}
}

// The first load of two names: the one that is listed first gets the cluster, the other is refused and stores nothing.
func TestNames_SecondIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 5}, "prod", "other")
		r.second("again")
		r.opts.DryRun = true
		r.restart()
		results, err := r.u.Once(t.Context(), nil, nil)
		must(t, err)
		r.wantTwin(results[2])
		r.opts.DryRun = false
		for range 2 {
			r.restart()
			results, err := r.u.Once(t.Context(), nil, nil)
			must(t, err)
			must(t, results[0].Err())
			must(t, results[1].Err())
			r.wantTwin(results[2])
			for _, word := range []string{`cached as cluster "prod"`, "updater clusters rename prod again", "allow_duplicate"} {
				if !strings.Contains(results[2].Err().Error(), word) {
					t.Errorf("the error does not say %q: %v", word, results[2].Err())
				}
			}
			if vms := r.number("SELECT count(*) FROM vms"); vms != 10 {
				t.Errorf("%d VMs", vms)
			}
			f := r.freshness("again", db.KindVM)
			if f.ErrorReason != "duplicate_cluster" || f.NextDueAt == nil || f.RefreshedAt != nil {
				t.Errorf("on record: %+v", f)
			}
		}
		// A reader asks in vain, too.
		reader := updater.NewReader(updater.ReaderOptions{Store: store, Updater: r.u})
		name := r.sim().Instances()[0].Name
		_, err = reader.VM(t.Context(), db.VMRef{Cluster: "again", Name: name}, nil, updater.MustBeFresh())
		if updater.Reason(err) != "duplicate_cluster" {
			t.Errorf("read: %v", err)
		}
		if vms := r.number("SELECT count(*) FROM virtual_machines"); vms != 10 {
			t.Errorf("%d VMs after reading", vms)
		}
		r.opts.Clusters[2].AllowDuplicate = true
		r.restart()
		r.mustRefresh("again")
		if vms := r.number("SELECT count(*) FROM vms"); vms != 15 {
			t.Errorf("%d VMs once it is allowed", vms)
		}
	})
}

// Two processes, each with one of the names, at the same moment, and with readers first.
func TestNames_TwoProcesses(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 5}, "prod")
		r.second("again")
		r.opts.KeepOthers = true
		r.restart()
		one := r.u
		r.restart()
		results := make(chan updater.Result, 2)
		name := r.sim().Instances()[0].Name
		for u, cluster := range map[*updater.Updater]string{one: "prod", r.u: "again"} {
			go func() {
				reader := updater.NewReader(updater.ReaderOptions{Store: store, Updater: u})
				_, _ = reader.VM(t.Context(), db.VMRef{Cluster: cluster, Name: name}, nil) //nolint:errcheck // one of them fails
				res, err := u.Refresh(t.Context(), cluster, updater.RefreshOptions{All: true})
				if err != nil {
					t.Error(err)
				}
				results <- res
			}()
		}
		refused := 0
		for range 2 {
			if res := <-results; res.Err() != nil {
				refused++
				if updater.Reason(res.Err()) != "duplicate_cluster" {
					t.Error(res.Err())
				}
			}
		}
		if vms := r.number("SELECT count(*) FROM virtual_machines"); refused != 1 || vms != 5 {
			t.Errorf("%d refused, %d VMs", refused, vms)
		}
	})
}

// A database of before, in which both names have all rows: the second fails from now on, without asking for everything.
func TestNames_BothLoadedBefore(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 5}, "prod")
		r.second("again")
		r.opts.Clusters[1].AllowDuplicate = true
		r.restart()
		r.mustRefresh("prod")
		r.mustRefresh("again")
		r.opts.Clusters[1].AllowDuplicate = false
		r.restart()
		for i := range 3 {
			before := r.servers["prod"].Count("/2/instances")
			r.wantTwin(r.refresh("again"))
			if bulk := r.servers["prod"].Count("/2/instances") - before; i > 0 && bulk != 0 {
				t.Errorf("%d bulk calls for a cluster that is refused", bulk)
			}
		}
		must(t, r.sim().Stop(r.sim().Instances()[0].Name))
		r.wantTwin(r.refresh("again"))
		r.mustRefresh("prod")
		if vms := r.number("SELECT count(*) FROM vms"); vms != 10 {
			t.Errorf("%d VMs", vms)
		}
		r.only("again")
		r.restart()
		r.mustRefresh("again")
	})
}

// A cluster that is renamed while an updater runs goes on, under either name, until the configuration has the new one.
func TestNames_RenamedMeanwhile(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 5}, "prod")
		changePassword := r.passwords()
		r.mustRefresh("prod")
		before := r.rows("prod")
		must(t, store.RenameCluster(t.Context(), "prod", "main"))
		wantClusters := func(when string, want ...string) {
			t.Helper()
			var got []string
			r.query(&got, "SELECT name FROM clusters WHERE enabled ORDER BY name")
			if !slices.Equal(got, want) {
				t.Errorf("%s: the clusters are %q", when, got)
			}
		}
		// A changed password has the updater write all its clusters.
		changePassword()
		r.mustRefresh("prod")
		wantClusters("running", "main")
		must(t, r.u.Reload(t.Context(), r.opts.Clusters)) // as the new revision of the clusters makes it
		res, err := r.u.Refresh(t.Context(), "main", updater.RefreshOptions{All: true})
		must(t, errors.Join(err, res.Err()))
		r.restart()
		results, err := r.u.Once(t.Context(), []string{"main"}, nil)
		must(t, err)
		if len(results) != 1 || results[0].Err() != nil {
			t.Errorf("once by the new name: %+v", results)
		}
		wantClusters("started anew", "main")
		if renamed := r.u.Renamed(); len(renamed) != 1 || renamed["prod"] != "main" {
			t.Errorf("renamed: %v", renamed)
		}
		reader := updater.NewReader(updater.ReaderOptions{Store: store, Updater: r.u})
		got, err := reader.VM(t.Context(), db.VMRef{Cluster: "main", Name: before[0].Name}, nil, updater.MustBeFresh())
		if err != nil || got.Value.ID != before[0].ID {
			t.Errorf("read by the new name: %+v, %v", got.Value, err)
		}
		r.servers["main"] = r.servers["prod"]
		r.opts.Clusters = []updater.Cluster{r.cluster("main")}
		must(t, r.u.Reload(t.Context(), r.opts.Clusters))
		r.mustRefresh("main")
		wantClusters("reloaded", "main")
		if after := r.rows("main"); !slices.EqualFunc(before, after, func(a, b vmRow) bool { return a.ID == b.ID }) {
			t.Errorf("rows before and after:\n%+v\n%+v", before, after)
		}
		if renamed := r.u.Renamed(); len(renamed) != 0 {
			t.Errorf("renamed: %v", renamed)
		}
	})
}

// A refresh that runs while its cluster is renamed and the configuration reloaded does not run beside the next one, and
// stores under the row that it began with.
func TestNames_RenamedInARefresh(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 5}, "prod")
		r.mustRefresh("prod")
		must(t, r.sim().Stop(r.sim().Instances()[0].Name))
		inside, on := make(chan struct{}), make(chan struct{})
		var first atomic.Bool
		connect := r.opts.Connect
		r.opts.Connect = func(s ganeti.Settings) (updater.Source, error) {
			if first.CompareAndSwap(false, true) {
				close(inside)
				<-on
			}
			return connect(s)
		}
		r.restart()
		done := make(chan updater.Result)
		go func() { done <- r.refresh("prod") }()
		<-inside
		must(t, store.RenameCluster(t.Context(), "prod", "main"))
		r.servers["main"] = r.servers["prod"]
		must(t, r.u.Reload(t.Context(), []updater.Cluster{r.cluster("main")}))
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.u.Refresh(short, "main", updater.RefreshOptions{All: true}); err == nil {
			t.Error("two refreshes of one cluster ran side by side")
		}
		close(on)
		if res := <-done; res.Err() != nil {
			t.Error(res.Err())
		}
		r.mustRefresh("main")
		if vms, clusters := r.number("SELECT count(*) FROM vms"), r.number("SELECT count(*) FROM clusters"); vms != 5 || clusters != 1 {
			t.Errorf("%d VMs, %d clusters", vms, clusters)
		}
	})
}

// Two clusters that change their names are not taken for each other.
func TestNames_Swapped(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 5}, "prod", "test")
		changePassword := r.passwords()
		r.mustRefresh("prod")
		r.mustRefresh("test")
		for _, names := range [][2]string{{"prod", "aside"}, {"test", "prod"}, {"aside", "test"}} {
			must(t, store.RenameCluster(t.Context(), names[0], names[1]))
		}
		changePassword()
		must(t, r.sim().Stop(r.sim().Instances()[0].Name))
		r.mustRefresh("prod") // by the ids that it knows
		r.mustRefresh("test")
		if vms := r.number("SELECT count(*) FROM virtual_machines"); vms != 10 {
			t.Errorf("%d VMs", vms)
		}
		r.restart()
		// A configuration of before is wrong now, and says so; nothing is changed by it.
		if res := r.refresh("prod"); updater.Reason(res.Err()) != "other_cluster" {
			t.Errorf("by the names of before: %v", res.Err())
		}
		r.servers["prod"], r.servers["test"] = r.servers["test"], r.servers["prod"]
		must(t, r.u.Reload(t.Context(), []updater.Cluster{r.cluster("prod"), r.cluster("test")}))
		r.mustRefresh("prod")
		r.mustRefresh("test")
		r.wantTruth()
	})
}
