package updater_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// slow is a cluster whose answers say that they took so long, without a test having to wait for them.
type slow struct {
	updater.Source

	took func() time.Duration
}

func (s slow) Info(ctx context.Context) (ganeti.Answer, error) {
	a, err := s.Source.Info(ctx)
	a.Duration = 0
	return a, err
}

func (s slow) Bulk(ctx context.Context, res ganeti.Resource, known *ganeti.Index) (*ganeti.Delta, error) {
	d, err := s.Source.Bulk(ctx, res, known)
	if err == nil {
		d.Duration = 0
		if res == ganeti.Instances {
			d.Duration = s.took()
		}
	}
	return d, err
}

// slowRig is a rig of one cluster whose list of VMs takes as long as the test says, of a budget of a tenth, in a time
// that the test makes pass.
type slowRig struct {
	*rig

	registry *prometheus.Registry
	mu       sync.Mutex
	took     time.Duration
	ahead    time.Duration
}

func newSlowRig(t *testing.T, store *db.Store) *slowRig {
	t.Helper()
	s := &slowRig{rig: newRig(t, store, rapisim.Options{VMs: 5}, "prod")}
	s.opts.Clusters[0].Budget = 0.1
	connect := s.opts.Connect
	s.opts.Connect = func(settings ganeti.Settings) (updater.Source, error) {
		src, err := connect(settings)
		return slow{src, s.duration}, err
	}
	s.freshEngine()
	return s
}

func (s *slowRig) duration() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.took
}

// takes says how long the list of VMs takes from now on.
func (s *slowRig) takes(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = d
}

// freshEngine is a restart with metrics of its own.
func (s *slowRig) freshEngine() {
	s.registry = prometheus.NewRegistry()
	s.opts.Registerer = s.registry
	s.opts.Store = clockless{s.store}
	s.opts.Now = func() time.Time { return time.Now().Add(s.ahead) }
	s.restart()
}

// waits gives how long after its start a refresh lets the kinds wait.
func (s *slowRig) waits(kinds ...db.Kind) []time.Duration {
	s.t.Helper()
	var waits []time.Duration
	for _, k := range kinds {
		f := s.freshness("prod", k)
		waits = append(waits, f.NextDueAt.Sub(*s.freshness("prod", db.KindCluster).RefreshedAt).Round(time.Second))
	}
	return waits
}

// value gives a metric of the cluster prod.
func (s *slowRig) value(name string) float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	must(s.t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	s.t.Fatalf("no metric %s", name)
	return 0
}

// tick is what the schedule does: it refreshes what is due.
func (s *slowRig) tick() []db.Kind {
	s.t.Helper()
	res, err := s.u.Refresh(s.t.Context(), "prod", updater.RefreshOptions{})
	must(s.t, err)
	must(s.t, res.Err())
	var kinds []db.Kind
	for _, k := range res.Kinds {
		kinds = append(kinds, k.Kind)
	}
	return kinds
}

func TestBudget_StretchesTheIntervalOfASlowCluster(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		s := newSlowRig(t, store)
		s.takes(15 * time.Second)
		s.mustRefresh("prod")
		all := []db.Kind{db.KindCluster, db.KindNode, db.KindVM, db.KindJob}
		stretched := 150 * time.Second
		want := []time.Duration{stretched, stretched, stretched, stretched}
		if diff := cmp.Diff(want, s.waits(all...)); diff != "" {
			t.Errorf("15 s of a budget of 10%%, all kinds new: next after (-want +got):\n%s", diff)
		}
		if wait := s.waits(db.KindGroup)[0]; wait < stretched || wait > 15*time.Minute {
			t.Errorf("groups of every 15 minutes wait %s, want between %s and that", wait, stretched)
		}
		if got := s.value("ganeti_updater_refresh_interval_seconds"); got != 150 {
			t.Errorf("the interval as a metric is %g s, want 150", got)
		}
		if got := s.value("ganeti_updater_rapi_busy_ratio"); got != 0.1 {
			t.Errorf("the busy ratio as a metric is %g, want 0.1", got)
		}

		s.ahead = 140 * time.Second
		if got := s.tick(); len(got) > 0 {
			t.Errorf("140 s later %v were refreshed, want nothing", got)
		}
		s.ahead = 151 * time.Second
		// Whether the slow kinds are among them depends on the hour.
		got := slices.DeleteFunc(s.tick(), func(k db.Kind) bool { return k == db.KindGroup || k == db.KindNetwork })
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("151 s later (-want +got):\n%s", diff)
		}
		s.mustRefresh("prod") // nobody who asks waits
	})
}

func TestBudget_OutlivesTheProcess(t *testing.T) {
	t.Parallel()
	s := newSlowRig(t, dbtest.SQLite(t))
	s.takes(15 * time.Second)
	s.mustRefresh("prod")
	s.freshEngine()
	if got := s.tick(); len(got) > 0 {
		t.Errorf("after a restart %v were refreshed, want nothing before the budget allows it", got)
	}
	fresh, err := s.store.Freshness(t.Context(), 1)
	must(t, err)
	p, ok := s.u.StretchedPace("prod", fresh)
	if got := p.Interval.Round(time.Second); !ok || got != 150*time.Second || p.Schedule != time.Minute || p.Busy.Round(time.Second) != 15*time.Second {
		t.Errorf("pace on record = %+v, %t; want 15 s of 2m30s instead of 1m", p, ok)
	}
}

func TestBudget_ForgivesOneSlowAnswer(t *testing.T) {
	t.Parallel()
	s := newSlowRig(t, dbtest.SQLite(t))
	for i, step := range []struct {
		took, want time.Duration // want 0: as scheduled
	}{
		{time.Second, 0},
		{30 * time.Second, 0},
		{time.Second, 0},
		{30 * time.Second, 300 * time.Second}, // the second of three
		{30 * time.Second, 300 * time.Second},
		{time.Second, 300 * time.Second},
		{time.Second, 0},
	} {
		s.takes(step.took)
		s.mustRefresh("prod")
		wait := s.waits(db.KindVM)[0]
		if step.want == 0 && wait > time.Minute || step.want != 0 && wait != step.want {
			t.Errorf("refresh %d took %s: the next comes after %s, want %s (0: as scheduled)", i, step.took, wait, step.want)
		}
	}
	var said []string
	for _, e := range s.logs.FilterField(zap.String("cluster", "prod")).All() {
		if e.Message != "refreshed" {
			said = append(said, e.Message)
		}
	}
	want := []string{
		"RAPI answers slowly: the cluster is refreshed less often than scheduled", "the cluster is refreshed on schedule again",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
}

func TestBudget_OfAReaderEndsNoWaitOfOthers(t *testing.T) {
	t.Parallel()
	s := newSlowRig(t, dbtest.SQLite(t))
	s.takes(15 * time.Second)
	s.mustRefresh("prod")
	before := s.freshness("prod", db.KindCluster).NextDueAt
	_, err := s.u.Refresh(t.Context(), "prod", updater.RefreshOptions{Kinds: []db.Kind{db.KindGroup}})
	must(t, err)
	if after := s.freshness("prod", db.KindCluster).NextDueAt; !after.Equal(*before) {
		t.Errorf("the cluster is due at %s after somebody asked for its groups, and was at %s", after, before)
	}
}

func TestBudget_NoneKeepsToTheSchedule(t *testing.T) {
	t.Parallel()
	s := newSlowRig(t, dbtest.SQLite(t))
	s.opts.Clusters[0].Budget = 1
	s.freshEngine()
	s.takes(50 * time.Second)
	s.mustRefresh("prod")
	if wait := s.waits(db.KindVM)[0]; wait > time.Minute {
		t.Errorf("without a limit the next refresh comes after %s, want within the minute of the schedule", wait)
	}
}
