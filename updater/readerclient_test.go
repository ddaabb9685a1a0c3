package updater_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// bareStore has what an engine and a reader need to refresh one VM: the row, its age, the turn to ask and the ticket. None of
// it returns settings, and whatever else is asked for panics.
type bareStore struct {
	updater.Store

	all *db.Store
}

func (s bareStore) Ticket(ctx context.Context) (db.Ticket, error) { return s.all.Ticket(ctx) }

// bareReadStore is the reader's part of it.
type bareReadStore struct {
	updater.ReadStore

	all *db.Store
}

func (s bareReadStore) VM(ctx context.Context, ref db.VMRef, p *db.Permitted) (db.VMView, error) {
	return s.all.VM(ctx, ref, p)
}

func (s bareReadStore) Freshness(ctx context.Context, id int64) (map[db.Kind]db.Freshness, error) {
	return s.all.Freshness(ctx, id)
}

func (s bareReadStore) BeginReading(ctx context.Context, id int64, holder string, ttl time.Duration) (db.Reading, bool, error) {
	return s.all.BeginReading(ctx, id, holder, ttl)
}

func (s bareReadStore) EndReading(ctx context.Context, l db.Reading) error {
	return s.all.EndReading(ctx, l)
}

func (s bareReadStore) Observe(ctx context.Context, o db.Observation) (db.Outcome, error) {
	return s.all.Observe(ctx, o)
}

// switchStore is a store that can be exchanged while the engine runs.
type switchStore struct{ updater.Store }

// A reader finds a VM's client without a query for the credentials: by the hash of settings that are at hand. As long as they
// stay, so does the client; a new password is used by the very next read.
func TestReader_FindsTheClientWithoutAQuery(t *testing.T) {
	t.Parallel()
	store := dbtest.SQLite(t)
	r, _ := old(t, store, rapisim.Options{VMs: 5})
	var given atomic.Value
	given.Store(ganeti.Secret(password))
	settings := r.opts.Clusters[0].Settings
	r.opts.Clusters[0].Settings = func() (ganeti.Settings, error) {
		s, err := settings()
		s.Password, _ = given.Load().(ganeti.Secret)
		return s, err
	}
	var clients []updater.Source
	connect := r.opts.Connect
	r.opts.Connect = func(s ganeti.Settings) (updater.Source, error) {
		c, err := connect(s)
		clients = append(clients, c)
		return c, err
	}
	exchanged := &switchStore{store}
	r.opts.Store = exchanged
	r.restart()
	exchanged.Store = bareStore{all: store}
	reader := updater.NewReader(updater.ReaderOptions{Store: bareReadStore{all: store}, Updater: r.u})

	vms := r.sim().Instances()
	for _, v := range vms[:2] {
		got, err := reader.VM(t.Context(), ref(v.Name), nil)
		if err != nil || got.Err != nil || got.Age > time.Minute {
			t.Errorf("reading %s: %v, %v, %s old; want it fresh", v.Name, err, got.Err, got.Age)
		}
	}
	if len(clients) != 2 || clients[0] != clients[1] {
		t.Errorf("two reads with the same settings used %d clients (%p); want the same one twice", len(clients), clients)
	}

	exchanged.Store = store // a failure goes on record
	reader = updater.NewReader(updater.ReaderOptions{Store: store, Updater: r.u})
	given.Store(ganeti.Secret("another"))
	got, err := reader.VM(t.Context(), ref(vms[2].Name), nil)
	if err != nil || updater.Reason(got.Err) != "unauthorized" {
		t.Errorf("reading with another password: %v, %v; want the cluster to refuse that password", err, got.Err)
	}
	if len(clients) != 3 || clients[2] == clients[1] {
		t.Errorf("another password used %d clients (%p); want a new one", len(clients), clients)
	}
}
