package updater_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/updater"
)

func TestOnce_WaitsForHangingClustersTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newCrowd(t, 100, 2, func(name string) time.Duration {
			if name < "cluster-090" {
				return hangs
			}
			return time.Second
		})
		began := time.Now()
		results, err := w.Once(t.Context(), nil, nil)
		must(t, err)
		if took := time.Since(began); len(results) != 100 || took > 2*time.Minute {
			t.Errorf("%d results after %s, want 100 after the time-out of those that hang", len(results), took)
		}
	})
}

// readStore is what questions need of a database in which nothing was ever refreshed.
type readStore struct {
	updater.ReadStore // what is not faked panics
	*workStore
}

func (readStore) Node(_ context.Context, ref db.ObjectRef) (db.NodeView, error) {
	var v db.NodeView
	var id int64
	if _, err := fmt.Sscanf(ref.Cluster, "cluster-%d", &id); err != nil {
		return v, fmt.Errorf("reading the number of %s: %w", ref.Cluster, err)
	}
	v.ClusterID, v.Cluster, v.Name, v.UUID = id+1, ref.Cluster, ref.Name, "u"
	return v, nil
}

func (s readStore) Freshness(ctx context.Context, id int64) (map[db.Kind]db.Freshness, error) {
	return s.workStore.Freshness(ctx, id)
}

func (s readStore) RecordFailure(ctx context.Context, id int64, f db.Failure) (int, error) {
	return s.workStore.RecordFailure(ctx, id, f)
}

func (readStore) BeginReading(context.Context, int64, string, time.Duration) (db.Reading, bool, error) {
	return db.Reading{}, true, nil
}

func (readStore) EndReading(context.Context, db.Reading) error { return nil }

// A question that leads to a refresh goes on in its own place: waiting for another one, it could wait for itself.
func TestReader_QuestionsThatLeadToRefreshesDoNotBlockEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 40
		w := newCrowd(t, n, 2, func(string) time.Duration { return time.Second })
		w.item = func() error { return ganeti.ErrNotFound }
		reader := updater.NewReader(updater.ReaderOptions{Updater: w.Updater, Store: readStore{workStore: w.store}})
		var all sync.WaitGroup
		began := time.Now()
		for _, name := range clusterNames(n) {
			all.Go(func() {
				_, err := reader.Node(t.Context(), db.ObjectRef{Cluster: name, Name: "n1"}, updater.MustBeFresh())
				if err == nil {
					t.Errorf("a node of %s could be refreshed, though its lists fail", name)
				}
			})
			all.Go(func() {
				if _, err := reader.RefreshCluster(t.Context(), name); err != nil {
					t.Errorf("refreshing %s: %v", name, err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 3*time.Minute {
			t.Errorf("%d questions and as many refreshes of clusters that answer within a second took %s", n, took)
		}
	})
}

func TestTurns_UrgentOnesComeFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := updater.NewTurns(1)
		must(t, turns.Take(t.Context(), false))
		var mu sync.Mutex
		var order []string
		var all sync.WaitGroup
		wait := func(name string, urgent bool) {
			all.Go(func() {
				must(t, turns.Take(t.Context(), urgent))
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				turns.Give()
			})
			synctest.Wait()
		}
		wait("first", false)
		wait("second", false)
		wait("urgent", true)
		leaving, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { gone <- turns.Take(leaving, true) }()
		synctest.Wait()
		leave()
		if err := <-gone; err == nil {
			t.Error("whoever stopped waiting got a turn")
		}
		turns.Give()
		all.Wait()
		if got := fmt.Sprint(order); got != "[urgent first second]" {
			t.Errorf("turns were taken in the order %s, want the urgent one first and the others as they came", got)
		}
		must(t, turns.Take(t.Context(), false)) // none was lost
	})
}
