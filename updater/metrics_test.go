package updater_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// counted starts an engine with metrics of its own, as a new process would, and gives a look at them: the values by name
// and by the values of the labels.
func (r *rig) counted() (series func(name string) map[string]float64) {
	r.t.Helper()
	registry := prometheus.NewRegistry()
	r.opts.Registerer = registry
	r.restart()
	return func(name string) map[string]float64 {
		r.t.Helper()
		families, err := registry.Gather()
		must(r.t, err)
		values := map[string]float64{}
		for _, f := range families {
			if f.GetName() != "ganeti_updater_"+name {
				continue
			}
			for _, m := range f.GetMetric() {
				var labels []string
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetValue())
				}
				values[strings.Join(labels, " ")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		return values
	}
}

// seriesOf counts the series of a cluster.
func (r *rig) seriesOf(cluster string) int {
	r.t.Helper()
	families, err := r.opts.Registerer.(*prometheus.Registry).Gather()
	must(r.t, err)
	n := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "cluster" && l.GetValue() == cluster {
					n++
				}
			}
		}
	}
	return n
}

func TestMetrics_TellTheAgeOfAClusterThatFailsSinceTheStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 3}, "prod")
	r.mustRefresh("prod")
	series := r.counted()
	r.servers["prod"].Hurt(rapisim.Status(502))
	r.refresh("prod")
	at := float64(r.freshness("prod", db.KindVM).RefreshedAt.UnixMilli()) / 1000
	if got := series("last_success_timestamp_seconds")["prod vm"]; got != at {
		t.Errorf("the VMs are as of %g, the metric says %g", at, got)
	}
	if got := series("refresh_interval_seconds")["prod"]; got != 60 {
		t.Errorf("the interval is %g s, want the schedule's 60", got)
	}
	want := map[string]float64{"prod cluster failure": 1}
	if diff := cmp.Diff(want, series("rapi_requests_total")); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestMetrics_CountWhatReadersAskFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 3}, "prod")
	r.mustRefresh("prod")
	series := r.counted()
	reader := updater.NewReader(updater.ReaderOptions{Store: r.store, Updater: r.u})
	name := r.sim().Instances()[0].Name
	_, err := reader.VM(t.Context(), db.VMRef{Cluster: "prod", Name: name}, nil, updater.MustBeFresh())
	must(t, err)
	if got := series("rapi_requests_total")["prod vm success"]; got != 1 {
		t.Errorf("%g requests about VMs, want the reader's", got)
	}
	if bytes, seconds := series("rapi_bytes_total")["prod vm"], series("rapi_seconds_total")["prod vm"]; bytes < 100 || seconds <= 0 {
		t.Errorf("the reader's answer counts %g bytes in %g s", bytes, seconds)
	}
}

// TestMetrics_NameEachLabel scrapes beside refreshes that succeed, fail and change something.
func TestMetrics_NameEachLabel(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 20}, "prod")
	r.counted()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, fault := range []rapisim.Fault{rapisim.Status(500), rapisim.EmptyList().On("/2/instances"), rapisim.Latency(0)} {
			r.servers["prod"].Hurt(fault.For(1))
			if _, err := r.u.Refresh(t.Context(), "prod", updater.RefreshOptions{All: true}); err != nil {
				t.Error(err)
			}
		}
	}()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		families, err := r.opts.Registerer.(*prometheus.Registry).Gather()
		must(t, err)
		if ended && len(families) < 15 {
			t.Errorf("%d families after all that", len(families))
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == "" }) {
					t.Errorf("%s %s: a label without a value", f.GetName(), m)
				}
			}
		}
	}
}

func TestMetrics_CountWhatTheGuardWithholds(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 20}, "prod")
	series := r.counted()
	r.mustRefresh("prod")
	if got := series("guard_trips_total")["prod vm"]; got != 0 {
		t.Errorf("%g trips of the guard in a first refresh", got)
	}
	r.servers["prod"].Hurt(rapisim.EmptyList().On("/2/instances").For(1))
	r.refresh("prod")
	if trips, withheld := series("guard_trips_total")["prod vm"], series("removals_withheld")["prod vm"]; trips != 1 || withheld != 20 {
		t.Errorf("%g trips, %g removals withheld; want 1 and 20", trips, withheld)
	}
}

func TestMetrics_KeepNoSeriesOfWhatIsNoLongerRefreshed(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 3}, "prod", "test")
	series := r.counted()
	r.mustRefresh("prod")
	first := r.seriesOf("prod")
	r.mustRefresh("prod")
	r.mustRefresh("test")
	if again := r.seriesOf("prod"); again != first || first == 0 {
		t.Errorf("%d series of a cluster after one refresh, %d after two", first, again)
	}
	t.Logf("%d series for each cluster", first)

	kept := slices.Clone(r.opts.Clusters[:1])
	delete(kept[0].Schedules, db.KindJob)
	must(t, r.u.Reload(t.Context(), kept))
	if n := r.seriesOf("test"); n != 0 {
		t.Errorf("%d series of a cluster that left the configuration", n)
	}
	r.mustRefresh("prod")
	if _, found := series("last_success_timestamp_seconds")["prod job"]; found {
		t.Error("the age of jobs, which are no longer refreshed, would grow for ever")
	}
}
