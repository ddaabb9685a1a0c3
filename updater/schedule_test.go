package updater_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/robfig/cron/v3"

	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/updater"
)

// fakeUpdater makes an engine over a fake store and clusters whose first answer is given.
func fakeUpdater(t *testing.T, names []string, info func(context.Context) (ganeti.Answer, error)) *updater.Updater {
	t.Helper()
	u, err := updater.New(t.Context(), fakeOptions(names, 1, info))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func fakeOptions(names []string, concurrency int, info func(context.Context) (ganeti.Answer, error)) updater.Options {
	return updater.Options{
		Store:   newFakeStore(),
		Connect: func(ganeti.Settings) (updater.Source, error) { return fakeSource{info}, nil },
		Hash:    func(ganeti.Settings) (string, error) { return "hash", nil }, Clusters: fakeClusters(names), Concurrency: concurrency,
	}
}

func fakeClusters(names []string) []updater.Cluster {
	var cs []updater.Cluster
	for _, name := range names {
		cs = append(cs, updater.Cluster{
			Name:      name,
			Settings:  func() (ganeti.Settings, error) { return ganeti.Settings{URL: "https://127.0.0.1:5080"}, nil },
			Schedules: map[db.Kind]cron.Schedule{db.KindVM: cron.Every(time.Minute), db.KindGroup: cron.Every(15 * time.Minute)},
		})
	}
	return cs
}

// start runs the engine until the returned function is called, which waits for its end and gives the time that took.
func start(t *testing.T, u *updater.Updater) (stop func() time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	return func() time.Duration {
		cancel()
		began := time.Now()
		if err := <-done; err != nil {
			t.Errorf("Run after its context ended = %v, want nil", err)
		}
		return time.Since(began)
	}
}

var errDown = errors.New("cluster is down")

func TestRun_BacksOffFromAFailingCluster(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		began := time.Now()
		u := fakeUpdater(t, []string{"prod"}, func(context.Context) (ganeti.Answer, error) {
			tries = append(tries, time.Since(began).Round(time.Second))
			return ganeti.Answer{}, errDown
		})
		stop := start(t, u)
		time.Sleep(time.Hour) // fake time
		stop()
		// At once, then after 1, 2, 4, 8 and, from then on, 15 minutes: each less up to a tenth, and at the next tick.
		minutes := []int{1, 2, 4, 8, 15}
		if len(tries) < 6 || tries[0] != 0 {
			t.Fatalf("tries after %v: want the first at once and at least 5 more in an hour", tries)
		}
		for i, next := range tries[1:] {
			limit := time.Duration(minutes[min(i, len(minutes)-1)]) * time.Minute
			if gap := next - tries[i]; gap < limit*9/10 || gap >= limit+time.Minute {
				t.Errorf("tries after %v: the one after failure %d came %s later, want %s less a tenth to the next tick", tries, i+1, gap, limit)
			}
		}
	})
}

func TestRun_BoundsConcurrencyAndNeverOverlaps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		working := map[int64]int{}
		now, most, overlaps := 0, 0, 0
		names := make([]string, 20)
		for i := range names {
			names[i] = fmt.Sprintf("cluster-%d", i)
		}
		o := fakeOptions(names, 3, nil)
		o.Store = &workStore{fakeStore: newFakeStore(), work: func(id int64) {
			mu.Lock()
			now++
			working[id]++
			most = max(most, now)
			if working[id] > 1 {
				overlaps++
			}
			mu.Unlock()
			time.Sleep(3 * time.Minute) // longer than the schedule: ticks find it running
			mu.Lock()
			now--
			working[id]--
			mu.Unlock()
		}}
		o.Connect = func(ganeti.Settings) (updater.Source, error) { return answering(time.Second), nil }
		u, err := updater.New(t.Context(), o)
		must(t, err)
		stop := start(t, u)
		time.Sleep(30 * time.Minute)
		stop()
		if most != 3 || overlaps > 0 {
			t.Errorf("%d refreshes worked at the same time, and a cluster's %d times beside its own; want 3 and 0", most, overlaps)
		}
	})
}

func TestRun_StopsWithinItsGrace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		answers time.Duration // how long the cluster takes
		want    time.Duration // how long the end may take
		err     error         // what the refresh under way is told
	}{
		{name: "a refresh that comes to its end in time", answers: 65 * time.Second, want: 5 * time.Second},
		{name: "a refresh that hangs", answers: time.Hour, want: 8 * time.Second, err: context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var seen error
				u := fakeUpdater(t, []string{"prod"}, func(ctx context.Context) (ganeti.Answer, error) {
					select {
					case <-time.After(tt.answers):
					case <-ctx.Done():
					}
					seen = ctx.Err()
					return ganeti.Answer{}, errDown
				})
				stop := start(t, u)
				time.Sleep(time.Minute)
				if took := stop(); took != tt.want {
					t.Errorf("stopping took %s, want %s", took, tt.want)
				}
				if !errors.Is(seen, tt.err) {
					t.Errorf("the refresh under way saw %v, want %v", seen, tt.err)
				}
			})
		})
	}
}

func TestRun_BeginsNothingOnceToldToStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		o := fakeOptions([]string{"a", "b", "c"}, 1, nil)
		o.Store = &workStore{fakeStore: newFakeStore(), work: func(int64) { time.Sleep(5 * time.Second) }}
		o.Connect = func(ganeti.Settings) (updater.Source, error) {
			calls.Add(1)
			return answering(0), nil
		}
		u, err := updater.New(t.Context(), o)
		must(t, err)
		stop := start(t, u)
		time.Sleep(time.Second)
		stop()
		if calls.Load() != 1 {
			t.Errorf("%d clusters were asked, want only the one that was being refreshed when the end came", calls.Load())
		}
	})
}

func TestReload_AddsAndDropsClustersOfARunningEngine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		asked := map[string]int{}
		o := fakeOptions([]string{"old", "kept"}, 2, nil)
		o.OnResult = func(r updater.Result) {
			mu.Lock()
			defer mu.Unlock()
			asked[r.Cluster]++
		}
		o.Connect = func(ganeti.Settings) (updater.Source, error) {
			return fakeSource{func(context.Context) (ganeti.Answer, error) { return ganeti.Answer{}, errDown }}, nil
		}
		u, err := updater.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		stop := start(t, u)
		time.Sleep(10 * time.Second)
		if err := u.Reload(t.Context(), fakeClusters([]string{"kept", "new"})); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		before := asked["old"]
		mu.Unlock()
		time.Sleep(20 * time.Minute)
		stop()
		if asked["new"] == 0 || asked["old"] != before || asked["kept"] < 3 {
			t.Errorf("asked after the reload: %v, `old` %d times before it; want `new` too, and `old` no more", asked, before)
		}
	})
}

func TestRefresh_ContainsAPanic(t *testing.T) {
	t.Parallel()
	u := fakeUpdater(t, []string{"prod", "other"}, func(context.Context) (ganeti.Answer, error) { panic("boom") })
	for range 2 { // the second proves that the first gave its turn back
		r, err := u.Refresh(t.Context(), "prod", updater.RefreshOptions{All: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := updater.Reason(r.Err()); got != "panic" {
			t.Errorf("reason = %q (%v), want panic", got, r.Err())
		}
	}
}

func TestRefresh_UnknownCluster(t *testing.T) {
	t.Parallel()
	u := fakeUpdater(t, []string{"prod"}, nil)
	if _, err := u.Refresh(t.Context(), "prd", updater.RefreshOptions{}); !errors.Is(err, updater.ErrUnknownCluster) {
		t.Errorf("refreshing a cluster that is not configured = %v, want ErrUnknownCluster", err)
	}
}
