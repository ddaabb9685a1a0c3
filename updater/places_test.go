package updater_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/updater"
)

// workStore takes the answers of clusters, and what happens meanwhile is the test's. It knows no failure but that of a whole
// cluster, so that the others stay due.
type workStore struct {
	*fakeStore

	work    func(id int64)
	applied int
}

func (s *workStore) ApplyInfo(_ context.Context, i db.ClusterInfo) (db.Outcome, error) {
	if s.work != nil {
		s.work(i.ClusterID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied++
	return db.Outcome{}, nil
}

func (s *workStore) Fingerprints(context.Context, int64, db.Kind) (db.Fingerprints, error) {
	return db.Fingerprints{}, nil
}

func (s *workStore) TouchFresh(context.Context, int64, *db.Lease, []db.Touch) error { return nil }

func (s *workStore) RecordFailure(ctx context.Context, id int64, f db.Failure) (int, error) {
	if !slices.Contains(f.Kinds, db.KindCluster) {
		return 1, nil
	}
	return s.fakeStore.RecordFailure(ctx, id, f)
}

func (s *workStore) failures(id int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fresh[id][db.KindCluster].ConsecutiveFailures
}

// silentSource is a cluster that answers about itself after a while, and refuses everything else.
type silentSource struct {
	info func(context.Context) (ganeti.Answer, error)
	// item is what a question about one object fails of.
	item func() error
}

func (s silentSource) Info(ctx context.Context) (ganeti.Answer, error) { return s.info(ctx) }

func (s silentSource) Bulk(context.Context, ganeti.Resource, *ganeti.Index) (*ganeti.Delta, error) {
	return nil, errDown
}

func (s silentSource) Item(ctx context.Context, _ ganeti.Resource, _ string) (ganeti.Answer, error) {
	a, err := s.info(ctx)
	if err == nil && s.item != nil {
		err = s.item()
	}
	return a, err
}

var errSilent = &ganeti.TimeoutError{Phase: "first_byte", After: time.Minute}

// answering is a cluster that answers after so long; past a minute, it has not within its time-out.
func answering(after time.Duration) silentSource {
	return silentSource{info: func(ctx context.Context) (ganeti.Answer, error) {
		select {
		case <-time.After(min(after, time.Minute)):
		case <-ctx.Done():
			return ganeti.Answer{}, ctx.Err()
		}
		if after > time.Minute {
			return ganeti.Answer{}, errSilent
		}
		return ganeti.Answer{Body: []byte(`{"uuid": "e0f1", "name": "c", "software_version": "3.0.2", "master": "n", "tags": []}`), StartedAt: time.Now()}, nil
	}}
}

const hangs = time.Hour

// crowd is many clusters that answer after times of their own, and when they were asked.
type crowd struct {
	*updater.Updater

	store *workStore
	mu    sync.Mutex
	asked map[string][]time.Time
	// waiting is how many are waited for now, and most how many were.
	waiting, most atomic.Int64
	after         func(name string) time.Duration
	// item is what questions about one object fail of.
	item func() error
}

func newCrowd(t *testing.T, n, concurrency int, after func(name string) time.Duration) *crowd {
	t.Helper()
	w := &crowd{asked: map[string][]time.Time{}, after: after, store: &workStore{fakeStore: newFakeStore()}}
	o := fakeOptions(clusterNames(n), concurrency, nil)
	o.Store = w.store
	for i := range o.Clusters {
		name := o.Clusters[i].Name
		o.Clusters[i].Settings = func() (ganeti.Settings, error) { return ganeti.Settings{URL: "https://127.0.0.1", Username: name}, nil }
	}
	o.Connect = func(s ganeti.Settings) (updater.Source, error) {
		return silentSource{item: w.item, info: func(ctx context.Context) (ganeti.Answer, error) {
			w.mu.Lock()
			w.asked[s.Username] = append(w.asked[s.Username], time.Now())
			w.mu.Unlock()
			now := w.waiting.Add(1)
			defer w.waiting.Add(-1)
			for m := w.most.Load(); now > m && !w.most.CompareAndSwap(m, now); m = w.most.Load() {
			}
			return answering(w.after(s.Username)).info(ctx)
		}}, nil
	}
	u, err := updater.New(t.Context(), o)
	must(t, err)
	w.Updater = u
	return w
}

func clusterNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("cluster-%03d", i)
	}
	return names
}

// intervals are those between two refreshes of a cluster, the one before the first included.
func (w *crowd) intervals(name string, began time.Time) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []time.Duration
	for _, at := range w.asked[name] {
		all = append(all, at.Sub(began))
		began = at
	}
	return all
}

func TestRun_KeepsTheIntervalOfHealthyClusters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		hanging int
	}{
		{"none hangs", 0},
		{"a fifth hangs", 40},
		{"nine of ten hang", 180},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const n = 200
				healthy := clusterNames(n)[tt.hanging:]
				w := newCrowd(t, n, 8, func(name string) time.Duration {
					if slices.Contains(healthy, name) {
						return 800 * time.Millisecond
					}
					return hangs
				})
				began := time.Now()
				stop := start(t, w.Updater)
				time.Sleep(2 * time.Hour) // fake time
				stop()
				for _, name := range healthy {
					all := w.intervals(name, began)
					if len(all) < 119 {
						t.Fatalf("%s was refreshed %d times in two hours, want each minute", name, len(all))
					}
					for i, d := range all[2:] { // the first is at once, the second at its own time of the minute
						if d < 57*time.Second || d > 63*time.Second {
							t.Fatalf("%s was refreshed after %s (interval %d), want a minute", name, d, i+2)
						}
					}
					if all[0] > 5*time.Second || all[1] > 65*time.Second {
						t.Fatalf("%s was refreshed %s after the start, and %s later", name, all[0], all[1])
					}
				}
			})
		})
	}
}

func TestRun_TriesClustersThatFailedAFewAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newCrowd(t, 200, 2, func(string) time.Duration { return hangs })
		stop := start(t, w.Updater)
		time.Sleep(2 * time.Minute)
		if w.most.Load() != 200 {
			t.Errorf("%d clusters of which nothing was known were waited for at once, want all 200", w.most.Load())
		}
		w.most.Store(0)
		time.Sleep(2 * time.Hour)
		stop()
		// Four with probes, four for the whole of their time-outs.
		if w.most.Load() > 8 {
			t.Errorf("%d clusters that failed before were waited for at once, want 8 at most", w.most.Load())
		}
		for name, asked := range w.asked {
			if len(asked) < 6 {
				t.Errorf("%s was tried %d times in two hours, want one each quarter of an hour at least", name, len(asked))
			}
		}
	})
}

func TestRun_SlowClustersRecover(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		hanging int
		within  time.Duration
	}{
		{"alone, at its first try", 0, 5 * time.Minute},
		{"among many that hang, at one of its tries", 150, 12 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var slow atomic.Int64
				slow.Store(int64(hangs))
				w := newCrowd(t, tt.hanging+1, 2, func(name string) time.Duration {
					if name == "cluster-000" {
						return time.Duration(slow.Load())
					}
					return hangs
				})
				stop := start(t, w.Updater)
				time.Sleep(90 * time.Second)
				if w.store.failures(1) != 1 {
					t.Fatalf("the cluster failed %d times, want once", w.store.failures(1))
				}
				slow.Store(int64(40 * time.Second)) // well within its time-outs, and much longer than a probe
				w.mu.Lock()
				before := len(w.asked["cluster-000"])
				w.mu.Unlock()
				var recovered time.Duration
				began := time.Now()
				for recovered == 0 && time.Since(began) < tt.within {
					time.Sleep(10 * time.Second)
					w.store.mu.Lock()
					if w.store.applied > 0 {
						recovered = time.Since(began)
					}
					w.store.mu.Unlock()
				}
				stop()
				if recovered == 0 {
					t.Errorf("it was tried %d times within %s and did not recover", len(w.asked["cluster-000"])-before, tt.within)
				}
			})
		})
	}
}

func TestReader_HangingClustersStopNeitherTheScheduleNorOtherReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		w := newCrowd(t, n, 8, func(name string) time.Duration {
			if name < "cluster-090" {
				return hangs
			}
			return time.Second
		})
		reader := updater.NewReader(updater.ReaderOptions{Updater: w.Updater})
		var crowded atomic.Int64
		var readers sync.WaitGroup
		for _, name := range clusterNames(90) {
			readers.Go(func() {
				res, err := reader.RefreshCluster(t.Context(), name)
				if err != nil {
					t.Errorf("refreshing %s for a reader: %v", name, err)
				}
				switch reason := updater.Reason(res.Err()); reason {
				case "timeout":
				case "crowded":
					crowded.Add(1)
				default:
					t.Errorf("a hanging cluster failed with %s (%v)", reason, res.Err())
				}
			})
		}
		time.Sleep(time.Second)
		began := time.Now()
		if res, err := reader.RefreshCluster(t.Context(), "cluster-095"); err != nil || time.Since(began) > 30*time.Second {
			t.Errorf("a reader of a healthy cluster waited %s (%v, %v)", time.Since(began), err, res.Err())
		}
		began = time.Now()
		stop := start(t, w.Updater)
		time.Sleep(5 * time.Second)
		for _, name := range clusterNames(n)[90:] {
			if at := w.intervals(name, began); len(at) == 0 || at[len(at)-1] > 5*time.Second {
				t.Errorf("%s was not refreshed on schedule while readers wait: %v", name, at)
			}
		}
		readers.Wait()
		stop()
		// 16 ask, 32 may wait for the whole of the time-outs.
		if crowded.Load() == 0 {
			t.Error("no reader was given up, want those beyond 48")
		}
	})
}

func TestReader_WaitsInVainWithoutHarmToTheCluster(t *testing.T) {
	t.Parallel()
	err := error(&updater.CrowdedError{After: time.Second, Others: 3, Reader: true})
	if got := updater.Reason(err); got != "crowded" || !errors.Is(err, ganeti.ErrTimeout) {
		t.Errorf("reason of a reader that was given up = %q, want crowded, and a time-out", got)
	}
	if got := updater.Reason(&updater.CrowdedError{After: time.Second, Others: 3}); got != "timeout" {
		t.Errorf("reason of a probe that was given up = %q, want timeout", got)
	}
}
