package updater_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti"
	"ganeticache/updater"
)

// shareStore is a fake store whose heartbeat does what the test says.
type shareStore struct {
	*fakeStore

	mu    sync.Mutex
	share func(clusters []int64) ([]int64, error)
}

func (s *shareStore) Share(_ context.Context, r db.Replica, clusters []int64) (db.Shares, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids, err := s.share(clusters)
	if err != nil {
		return db.Shares{}, err
	}
	shares := db.Shares{Replicas: 2}
	for _, id := range ids {
		shares.Leases = append(shares.Leases, db.Lease{ClusterID: id, Holder: r.ID, Token: 1})
	}
	return shares, nil
}

func (s *shareStore) set(share func([]int64) ([]int64, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.share = share
}

func all(ids []int64) ([]int64, error)  { return ids, nil }
func none([]int64) ([]int64, error)     { return nil, nil }
func noAnswer([]int64) ([]int64, error) { return nil, errors.New("connection refused") }

// asked counts the refreshes of each cluster.
type asked struct {
	mu sync.Mutex
	n  map[string]int
}

func (a *asked) count(r updater.Result) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n[r.Cluster]++
}

func (a *asked) since() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.n
	a.n = map[string]int{}
	return n
}

func TestRun_RefreshesItsPartOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u, store, seen := sharing(t, zap.NewNop(), none, "a", "b")
		stop := start(t, u)
		defer stop()
		time.Sleep(10 * time.Minute)
		if got := seen.since(); len(got) != 0 {
			t.Errorf("without a lease these were refreshed: %v", got)
		}
		// The same one with every heartbeat: the ids come in any order.
		store.set(func(ids []int64) ([]int64, error) { return []int64{slices.Min(ids)}, nil })
		time.Sleep(11 * time.Second) // a third of the lease time and a bit
		if got := seen.since(); len(got) != 1 {
			t.Errorf("when one came, %v were refreshed, want that one, at once", got)
		}
		store.set(none)
		time.Sleep(11 * time.Second)
		seen.since()
		time.Sleep(20 * time.Minute)
		if got := seen.since(); len(got) != 0 {
			t.Errorf("when it had gone these were refreshed: %v", got)
		}
	})
}

func TestRun_RestsWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		u, store, seen := sharing(t, zap.New(core), all, "a", "b")
		stop := start(t, u)
		defer stop()
		time.Sleep(5 * time.Second)
		store.set(noAnswer)
		time.Sleep(11 * time.Second) // the next heartbeat
		seen.since()
		time.Sleep(30 * time.Minute)
		if got := seen.since(); len(got) != 0 {
			t.Errorf("while the database was away these were refreshed: %v", got)
		}
		store.set(all)
		time.Sleep(2 * time.Second)
		if got := seen.since(); len(got) != 2 {
			t.Errorf("when it was back %v were refreshed, want both, within 2 s", got)
		}
		for _, line := range []string{"the database does not answer the heartbeat; nothing is refreshed on schedule until it does", "the database is back"} {
			if n := logs.FilterMessage(line).Len(); n != 1 {
				t.Errorf("%d lines %q, want one", n, line)
			}
		}
	})
}

func sharing(t *testing.T, l *zap.Logger, share func([]int64) ([]int64, error), names ...string) (*updater.Updater, *shareStore, *asked) {
	t.Helper()
	store, seen := &shareStore{fakeStore: newFakeStore(), share: share}, &asked{n: map[string]int{}}
	o := fakeOptions(names, 2, func(context.Context) (ganeti.Answer, error) { return ganeti.Answer{}, errDown })
	o.Store, o.OnResult, o.Logger = store, seen.count, l
	u, err := updater.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return u, store, seen
}

// Two updaters on one PostgreSQL have half of the clusters each; when one ends, the other has all.
func TestRun_TwoReplicas(t *testing.T) {
	t.Parallel()
	store := dbtest.Postgres(t)
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("cluster-%d", i))
	}
	replica := func() (stop func() time.Duration) {
		o := fakeOptions(names, 2, func(context.Context) (ganeti.Answer, error) { return ganeti.Answer{}, errDown })
		o.Store, o.Lease = store, 2*time.Second
		u, err := updater.New(t.Context(), o)
		must(t, err)
		return start(t, u)
	}
	first, second := replica(), replica()
	wantHolders(t, store, 5, 5)
	second()
	wantHolders(t, store, 10)
	first()
	wantHolders(t, store)
}

// wantHolders waits until the replicas have so many clusters each.
func wantHolders(t *testing.T, store *db.Store, want ...int) {
	t.Helper()
	var got []int
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		got = nil
		must(t, store.DB().SelectContext(t.Context(), &got, "SELECT count(*) FROM leases WHERE holder <> '' GROUP BY holder"))
		if fmt.Sprint(got) == fmt.Sprint(want) {
			return
		}
	}
	t.Fatalf("the replicas hold %v clusters, want %v", got, want)
}

// A replica that finds, with the answer in its hand, that its cluster has gone to another one writes nothing about it.
func TestRun_LosesItsLeaseInTheMiddle(t *testing.T) {
	t.Parallel()
	store := dbtest.Postgres(t)
	asking, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	o := fakeOptions([]string{"prod"}, 1, func(context.Context) (ganeti.Answer, error) {
		once.Do(func() { close(asking) })
		<-answer
		return ganeti.Answer{}, errDown
	})
	results := make(chan updater.Result, 10)
	o.Store, o.Lease = store, time.Hour
	o.OnResult = func(r updater.Result) { results <- r }
	u, err := updater.New(t.Context(), o)
	must(t, err)
	stop := start(t, u)
	<-asking
	clusters, err := store.Clusters(t.Context())
	must(t, err)
	_, err = store.Writer().ExecContext(t.Context(), "UPDATE replicas SET expires_at = '2020-01-01'")
	must(t, err)
	shares, err := store.Share(t.Context(), db.Replica{ID: "heir", TTL: time.Hour}, []int64{clusters[0].ID})
	must(t, err)
	if shares.TakenOver != 1 {
		t.Fatalf("the heir got %+v", shares)
	}
	close(answer)
	if r := <-results; updater.Reason(r.Err()) != "other" {
		t.Errorf("the refresh = %v", r.Err())
	}
	stop()
	fresh, err := store.Freshness(t.Context(), clusters[0].ID)
	must(t, err)
	if len(fresh) != 0 {
		t.Errorf("freshness after a failure that was no longer its own to record: %+v", fresh)
	}
}
