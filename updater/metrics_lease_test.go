package updater_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ganeticache/ganeti"
	"ganeticache/updater"
)

// The alert of a cluster that is not refreshed measures by its interval. One that fails must have it again when it has
// gone to another replica and comes back.
func TestMetrics_TellTheIntervalOfAClusterThatComesBackAndFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, registry := &shareStore{fakeStore: newFakeStore(), share: all}, prometheus.NewRegistry()
		o := fakeOptions([]string{"a"}, 2, func(context.Context) (ganeti.Answer, error) { return ganeti.Answer{}, errDown })
		o.Store, o.Registerer = store, registry
		u, err := updater.New(t.Context(), o)
		must(t, err)
		stop := start(t, u)
		defer stop()
		for _, step := range []struct {
			what  string
			share func([]int64) ([]int64, error)
			want  int
		}{{"at first", all, 1}, {"when it has gone", none, 0}, {"when it is back", all, 1}} {
			store.set(step.share)
			time.Sleep(20 * time.Minute) // longer than any back-off
			if got := countSeries(t, registry, "ganeti_updater_refresh_interval_seconds"); got != step.want {
				t.Errorf("%s there are %d intervals, want %d", step.what, got, step.want)
			}
		}
	})
}

func countSeries(t *testing.T, registry *prometheus.Registry, name string) int {
	t.Helper()
	families, err := registry.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return len(f.GetMetric())
		}
	}
	return 0
}
