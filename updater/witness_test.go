package updater_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ganeticache/ganeti"
	"ganeticache/updater"
)

// purgingStore notes which clusters' tombstones are deleted.
type purgingStore struct {
	*fakeStore

	purged atomic.Pointer[[]string]
}

func (s *purgingStore) PurgeClusters(_ context.Context, _ time.Time, names []string) (int64, error) {
	names = slices.Sorted(slices.Values(names))
	s.purged.Store(&names)
	return 0, nil
}

// TestRun_PurgesOnlyWithAWitness lets clusters answer with the time, none, or another one, and sets the clock.
func TestRun_PurgesOnlyWithAWitness(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, test := range []struct {
		name string
		// off is by how much the clusters' clocks differ from ours; none names no time.
		off  map[string]time.Duration
		none bool
		// step is by how much our clock is set, 20 minutes before tombstones are looked at.
		step time.Duration
		want []string
	}{
		{name: "all agree", off: map[string]time.Duration{"b": time.Minute}, want: []string{"a", "b", "c"}},
		{name: "one is wrong", off: map[string]time.Duration{"b": 2 * time.Hour}, want: []string{"a", "c"}},
		{name: "two are wrong", off: map[string]time.Duration{"b": 2 * time.Hour, "c": -40 * day}},
		{name: "we are wrong", off: map[string]time.Duration{"a": -40 * day, "b": -40 * day, "c": -40 * day}},
		{name: "no witness", none: true},
		{name: "the clock was just set", step: 2 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &purgingStore{fakeStore: newFakeStore()}
				var shift atomic.Int64
				o := fakeOptions([]string{"a", "b", "c"}, 3, nil)
				o.Store, o.Retention = store, 30*day
				o.Now = func() time.Time { return time.Now().Round(0).Add(time.Duration(shift.Load())) }
				for i := range o.Clusters {
					name := o.Clusters[i].Name
					o.Clusters[i].Settings = func() (ganeti.Settings, error) { return ganeti.Settings{URL: "https://" + name}, nil }
				}
				o.Connect = func(s ganeti.Settings) (updater.Source, error) {
					return fakeSource{func(context.Context) (ganeti.Answer, error) {
						a := ganeti.Answer{Body: []byte("no JSON")}
						if !test.none {
							a.Date = time.Now().Add(test.off[s.URL[len("https://"):]])
						}
						return a, nil
					}}, nil
				}
				u, err := updater.New(t.Context(), o)
				must(t, err)
				stop := start(t, u)
				defer stop()
				// Until 20 minutes before the next look at tombstones.
				next := updater.NextPurge(o.Now())
				time.Sleep(next.Sub(o.Now()) - 20*time.Minute)
				store.purged.Store(nil)
				shift.Store(int64(test.step))
				time.Sleep(21 * time.Minute)
				synctest.Wait()
				var got []string
				if p := store.purged.Load(); p != nil {
					got = *p
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("deleted tombstones of %v, want of %v", got, test.want)
				}
			})
		})
	}
}
