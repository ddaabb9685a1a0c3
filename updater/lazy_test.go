package updater_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// agedStore writes everything as if it had been fetched long ago, so that tests need not wait for rows to grow old.
type agedStore struct {
	updater.Store

	by time.Duration
}

func (s agedStore) Apply(ctx context.Context, snap db.Snapshot) (db.Outcome, error) {
	snap.StartedAt = snap.StartedAt.Add(-s.by)
	return s.Store.Apply(ctx, snap)
}

func (s agedStore) ApplyInfo(ctx context.Context, in db.ClusterInfo) (db.Outcome, error) {
	in.StartedAt = in.StartedAt.Add(-s.by)
	return s.Store.ApplyInfo(ctx, in)
}

// countingStore counts the queries of a Reader.
type countingStore struct {
	updater.ReadStore

	mu      sync.Mutex
	queries int
}

func (s *countingStore) VM(ctx context.Context, ref db.VMRef, p *db.Permitted) (db.VMView, error) {
	s.mu.Lock()
	s.queries++
	s.mu.Unlock()
	return s.ReadStore.VM(ctx, ref, p)
}

func (s *countingStore) Freshness(ctx context.Context, id int64) (map[db.Kind]db.Freshness, error) {
	s.mu.Lock()
	s.queries++
	s.mu.Unlock()
	return s.ReadStore.Freshness(ctx, id)
}

// old makes a rig whose rows are two hours old, and a reader of it. No request is on record.
func old(t *testing.T, store *db.Store, o rapisim.Options) (*rig, *updater.Reader) {
	t.Helper()
	r := newRig(t, store, o, "prod")
	r.opts.Store = agedStore{store, 2 * time.Hour}
	r.restart()
	r.mustRefresh("prod")
	r.opts.Store = store
	r.restart()
	r.servers["prod"].Forget()
	return r, updater.NewReader(updater.ReaderOptions{Store: store, Updater: r.u})
}

func ref(name string) db.VMRef { return db.VMRef{Cluster: "prod", Name: name} }

func TestReader_AFreshRowCostsOneQueryAndNoCall(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r, _ := old(t, store, rapisim.Options{VMs: 5})
		counting := &countingStore{ReadStore: store}
		reader := updater.NewReader(updater.ReaderOptions{Store: counting, Updater: r.u})
		name := r.sim().Instances()[0].Name
		got, err := reader.VM(t.Context(), ref(name), nil, updater.MaxAge(24*time.Hour))
		must(t, err)
		if got.Value.Name != name || got.Age < 2*time.Hour || got.Age > 3*time.Hour || got.Err != nil {
			t.Errorf("got %s, %s old, error %v; want %s, two hours old", got.Value.Name, got.Age, got.Err, name)
		}
		if counting.queries != 1 || r.servers["prod"].Total() != 0 {
			t.Errorf("%d queries and %d calls, want 1 and 0", counting.queries, r.servers["prod"].Total())
		}
		if s, err := r.opts.Clusters[0].Settings(); err != nil {
			t.Fatal(err)
		} else if want, err := r.opts.Hash(s); err != nil || got.Value.CredentialsHash != want {
			t.Errorf("the object's credentials hash is %q, want %q (%v)", got.Value.CredentialsHash, want, err)
		}
	})
}

func TestReader_AStaleVMCostsOneCallForAllWhoReadIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r, reader := old(t, store, rapisim.Options{VMs: 5})
		v := r.sim().Instances()[0]
		must(t, r.sim().Retag(v.Name, "seen:now"))
		// Other processes read, too.
		other := updater.NewReader(updater.ReaderOptions{Store: store, Updater: r.u})
		var readers sync.WaitGroup
		for i := range 100 {
			readers.Go(func() {
				which := reader
				if i%2 == 0 {
					which = other
				}
				got, err := which.VM(t.Context(), ref(v.Name), nil)
				if err != nil || got.Err != nil || got.Age > time.Minute || len(got.Value.Tags) != 1 {
					t.Errorf("reading: %v, %v, %s old, tags %v; want the new tag", err, got.Err, got.Age, got.Value.Tags)
				}
			})
		}
		readers.Wait()
		if one, all := r.servers["prod"].Count("/2/instances/"+v.Name), r.servers["prod"].Total(); one != 1 || all != 1 {
			t.Errorf("%d calls for the VM, %d in all; want 1", one, all)
		}
	})
}

func TestReader_AStaleListCostsOneBulkCall(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r, reader := old(t, store, rapisim.Options{VMs: 1000})
		var readers sync.WaitGroup
		for range 10 {
			readers.Go(func() {
				got, err := reader.VMs(t.Context(), db.VMFilter{Clusters: []string{"prod"}, Limit: 1000})
				if err != nil || got.Err != nil || got.Age > time.Minute || len(got.Value.Items) != 1000 {
					t.Errorf("reading: %v, %v, %s old, %d VMs; want 1000 fresh ones", err, got.Err, got.Age, len(got.Value.Items))
				}
			})
		}
		readers.Wait()
		if bulk, info, all := r.servers["prod"].Count("/2/instances"), r.servers["prod"].Count("/2/info"), r.servers["prod"].Total(); bulk != 1 || all != bulk+info {
			t.Errorf("%d bulk calls of %d in all, want one, and none for single VMs", bulk, all)
		}
	})
}

func TestReader_CacheOnlyNeverAsks(t *testing.T) {
	t.Parallel()
	r, reader := old(t, dbtest.SQLite(t), rapisim.Options{VMs: 5})
	got, err := reader.VM(t.Context(), ref(r.sim().Instances()[0].Name), nil, updater.CacheOnly())
	must(t, err)
	list, err := reader.VMs(t.Context(), db.VMFilter{}, updater.CacheOnly())
	must(t, err)
	_, err = reader.VM(t.Context(), ref("unknown"), nil, updater.CacheOnly())
	if !errors.Is(err, db.ErrNotFound) {
		t.Errorf("reading an unknown VM = %v, want ErrNotFound", err)
	}
	if got.Age < time.Hour || list.Age < time.Hour || r.servers["prod"].Total() != 0 {
		t.Errorf("ages %s and %s, %d calls; want two hours and no call", got.Age, list.Age, r.servers["prod"].Total())
	}
}

func TestReader_AFailureIsRememberedAndTheOldRowServed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r, reader := old(t, store, rapisim.Options{VMs: 5})
		name := r.sim().Instances()[0].Name
		r.servers["prod"].Hurt(rapisim.Status(502))
		for range 3 {
			got, err := reader.VM(t.Context(), ref(name), nil)
			must(t, err)
			if got.Value.Name != name || got.Age < time.Hour || got.Err == nil || !strings.Contains(got.Err.Error(), "502") {
				t.Errorf("got %s, %s old, error %v; want the old row and the error", got.Value.Name, got.Age, got.Err)
			}
			list, err := reader.VMs(t.Context(), db.VMFilter{Clusters: []string{"prod"}})
			must(t, err)
			if len(list.Value.Items) != 5 || list.Err == nil {
				t.Errorf("got %d VMs, error %v; want the old ones and the error", len(list.Value.Items), list.Err)
			}
		}
		if n := r.servers["prod"].Total(); n != 1 {
			t.Errorf("a failing cluster was asked %d times within its back-off, want once", n)
		}
		if _, err := reader.VM(t.Context(), ref(name), nil, updater.MustBeFresh()); err == nil {
			t.Error("MustBeFresh gave a row of a cluster that fails")
		}
		if n := r.servers["prod"].Total(); n != 2 {
			t.Errorf("%d calls, want MustBeFresh to have asked", n)
		}
	})
}

func TestReader_WhatBecameOfAVM(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r, reader := old(t, store, rapisim.Options{VMs: 10})
		sim := r.sim()
		vms := sim.Instances()
		renamed, removed, created, again := vms[0], vms[1], "new.example", vms[2]
		must(t, sim.Rename(renamed.Name, "renamed.example"))
		must(t, sim.Remove(removed.Name))
		_, err := sim.Create(created)
		must(t, err)
		must(t, sim.Remove(again.Name))
		_, err = sim.Create(again.Name) // the name again, but another VM
		must(t, err)
		before := r.row(renamed.Name).ID

		_, err = reader.VM(t.Context(), ref(renamed.Name), nil)
		if !errors.Is(err, db.ErrNotFound) || r.row("renamed.example").ID != before {
			t.Errorf("a renamed VM: %v; want it no longer found by its old name, and its row kept", err)
		}
		if _, err = reader.VM(t.Context(), ref(removed.Name), nil); !errors.Is(err, db.ErrNotFound) || r.row(removed.Name).DeletedAt == nil {
			t.Errorf("a removed VM: %v; want ErrNotFound and a tombstone", err)
		}
		got, err := reader.VM(t.Context(), ref(created), nil)
		if err != nil || got.Value.Name != created {
			t.Errorf("a new VM: %v, %s; want it found", err, got.Value.Name)
		}
		got, err = reader.VM(t.Context(), ref(again.Name), nil)
		if err != nil || got.Value.UUID == again.UUID {
			t.Errorf("another VM under the same name: %v, uuid %s; want the new one's", err, got.Value.UUID)
		}
		r.mustRefresh("prod")
		r.wantTruth()
	})
}

func TestReader_AnotherClusterBehindTheAddressRemovesNothing(t *testing.T) {
	t.Parallel()
	r, reader := old(t, dbtest.SQLite(t), rapisim.Options{VMs: 5})
	v := r.sim().Instances()[0]
	r.sim().SetUUID("00000000-1111-2222-3333-444444444444")
	must(t, r.sim().Remove(v.Name))
	got, err := reader.VM(t.Context(), ref(v.Name), nil)
	must(t, err)
	var other *updater.OtherClusterError
	if !errors.As(got.Err, &other) || r.row(v.Name).DeletedAt != nil {
		t.Errorf("error %v; want an OtherClusterError, and the row alive", got.Err)
	}
}

func TestReader_Nodes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r, reader := old(t, store, rapisim.Options{VMs: 5})
		node := r.sim().Nodes()[0].Name
		must(t, r.sim().RetagNode(node, "rack:9"))
		got, err := reader.Node(t.Context(), db.ObjectRef{Cluster: "prod", Name: node})
		must(t, err)
		if got.Age > time.Minute || len(got.Value.Tags) != 1 || r.servers["prod"].Count("/2/nodes/"+node) != 1 {
			t.Errorf("%s old, tags %v, %d calls; want the new tag by one call", got.Age, got.Value.Tags, r.servers["prod"].Total())
		}
		wantChanges(t, r.mustRefresh("prod")) // the single answer has a field more; that is no change
		cluster, err := reader.Cluster(t.Context(), "prod", updater.MustBeFresh())
		if err != nil || cluster.Value.Name != "prod" || cluster.Age > time.Minute {
			t.Errorf("the cluster: %v, %s old", err, cluster.Age)
		}
	})
}

// gatedStore holds the first apply of the VMs until it is opened: the answer has arrived, and time goes on.
type gatedStore struct {
	updater.Store

	once    *sync.Once
	arrived chan struct{}
	open    chan struct{}
}

func (s gatedStore) Apply(ctx context.Context, snap db.Snapshot) (db.Outcome, error) {
	if snap.Kind == db.KindVM {
		s.once.Do(func() {
			close(s.arrived)
			<-s.open
		})
	}
	return s.Store.Apply(ctx, snap)
}

// TestReader_NewerWins lets a lazy read happen between the arrival of a bulk answer and its apply.
func TestReader_NewerWins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// before the bulk answer, between its arrival and its apply
		before, between func(sim *rapisim.Cluster, v rapisim.Instance) error
		// read is the VM that is read lazily in between
		read func(v rapisim.Instance) string
	}{
		{
			name:    "a lazy read after the bulk began",
			before:  func(sim *rapisim.Cluster, v rapisim.Instance) error { return sim.Retag(v.Name, "first") },
			between: func(sim *rapisim.Cluster, v rapisim.Instance) error { return sim.Retag(v.Name, "second") },
			read:    func(v rapisim.Instance) string { return v.Name },
		},
		{
			name:   "creation against removal",
			before: func(sim *rapisim.Cluster, v rapisim.Instance) error { return sim.Retag(v.Name, "first") },
			between: func(sim *rapisim.Cluster, _ rapisim.Instance) error {
				_, err := sim.Create("new.example")
				return err
			},
			read: func(rapisim.Instance) string { return "new.example" },
		},
		{
			name:    "removal against a bulk that still has it",
			before:  func(sim *rapisim.Cluster, v rapisim.Instance) error { return sim.Retag(v.Name, "first") },
			between: func(sim *rapisim.Cluster, v rapisim.Instance) error { return sim.Remove(v.Name) },
			read:    func(v rapisim.Instance) string { return v.Name },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, store *db.Store) {
				r, _ := old(t, store, rapisim.Options{VMs: 8})
				v := r.sim().Instances()[0]
				reader := updater.NewReader(updater.ReaderOptions{Store: store, Updater: r.u})
				gate := gatedStore{store, new(sync.Once), make(chan struct{}), make(chan struct{})}
				r.opts.Store = gate
				r.restart() // another replica
				must(t, tt.before(r.sim(), v))
				bulk := make(chan updater.Result)
				go func() {
					res, err := r.u.Refresh(t.Context(), "prod", updater.RefreshOptions{Kinds: []db.Kind{db.KindVM}})
					if err != nil {
						t.Error(err)
					}
					bulk <- res
				}()
				<-gate.arrived
				must(t, tt.between(r.sim(), v))
				if _, err := reader.VM(t.Context(), ref(tt.read(v)), nil, updater.MustBeFresh()); err != nil && !errors.Is(err, db.ErrNotFound) {
					t.Error(err)
				}
				close(gate.open)
				if res := <-bulk; res.Err() != nil {
					t.Error(res.Err())
				}
				r.wantTruth()
				r.mustRefresh("prod")
				r.wantTruth()
			})
		})
	}
}
