package updater_test

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/updater"
)

// fakeStore remembers failures and nothing else: enough for tests of the schedule, which run in fake time, where no
// real database can be. Everything about rows is tested with real ones.
type fakeStore struct {
	updater.Store // what is not faked panics

	mu    sync.Mutex
	fresh map[int64]map[db.Kind]db.Freshness
	now   func() time.Time
	// tickets counts those drawn.
	tickets atomic.Int64
}

func newFakeStore() *fakeStore {
	return &fakeStore{fresh: map[int64]map[db.Kind]db.Freshness{}, now: time.Now}
}

func (s *fakeStore) SyncClusters(_ context.Context, settings []db.ClusterSettings) ([]db.Cluster, error) {
	var rows []db.Cluster
	for i, c := range settings {
		rows = append(rows, db.Cluster{ID: int64(i + 1), Name: c.Name, Enabled: true, CredentialsHash: c.CredentialsHash})
	}
	return rows, nil
}

func (s *fakeStore) Freshness(_ context.Context, id int64) (map[db.Kind]db.Freshness, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.fresh[id]), nil
}

func (s *fakeStore) RecordFailure(_ context.Context, id int64, f db.Failure) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fresh[id] == nil {
		s.fresh[id] = map[db.Kind]db.Freshness{}
	}
	failures := 0
	for _, k := range f.Kinds {
		row := s.fresh[id][k]
		row.ConsecutiveFailures++
		due := f.NextDue(row.ConsecutiveFailures)
		row.NextDueAt, row.Error = &due, f.Error
		s.fresh[id][k] = row
		failures = max(failures, row.ConsecutiveFailures)
	}
	return failures, nil
}

// fakeSource is a cluster of which only the first answer matters.
type fakeSource struct {
	info func(context.Context) (ganeti.Answer, error)
}

func (s fakeSource) Info(ctx context.Context) (ganeti.Answer, error) { return s.info(ctx) }

func (s fakeSource) Bulk(context.Context, ganeti.Resource, *ganeti.Index) (*ganeti.Delta, error) {
	panic("the tests that use this source never get so far")
}

func (s fakeSource) Item(context.Context, ganeti.Resource, string) (ganeti.Answer, error) {
	panic("the tests that use this source never ask about one object")
}

func (s *fakeStore) Claim(context.Context) (func() error, error) {
	return func() error { return nil }, nil
}

// Share gives every cluster to the only replica there is.
func (s *fakeStore) Share(_ context.Context, r db.Replica, clusters []int64) (db.Shares, error) {
	shares := db.Shares{Replicas: 1}
	for _, id := range clusters {
		shares.Leases = append(shares.Leases, db.Lease{ClusterID: id, Holder: r.ID, Token: 1})
	}
	return shares, nil
}

// Ticket has no time of its own, as that of SQLite.
func (s *fakeStore) Ticket(context.Context) (db.Ticket, error) {
	return db.Ticket{Number: s.tickets.Add(1)}, nil
}

// CorrectTimes finds nothing.
func (s *fakeStore) CorrectTimes(context.Context, int64, db.Kind, time.Time) (int64, error) {
	return 0, nil
}

// Clock is that of a database without one.
func (s *fakeStore) Clock(context.Context) (time.Time, error) { return time.Time{}, nil }

func (s *fakeStore) Leave(context.Context, string) error { return nil }

// clockless is a real store whose database is said to have no clock, so that the test's own counts on either.
type clockless struct{ *db.Store }

func (s clockless) Clock(context.Context) (time.Time, error) { return time.Time{}, nil }

func (s clockless) Ticket(ctx context.Context) (db.Ticket, error) {
	t, err := s.Store.Ticket(ctx)
	t.At = time.Time{}
	return t, err
}

// ChangesKept keeps the log for ever.
func (s *fakeStore) ChangesKept(context.Context) (time.Duration, error) { return 0, nil }
