package updater_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// TestRun_KeepsItsIntervalWhenTheClockIsSet sets the process's clock while the schedule runs: the cluster is asked as
// often as before, and the scheduler counts as alive. An entry of cron would sit an hour, or four years, in the future.
func TestRun_KeepsItsIntervalWhenTheClockIsSet(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-time.Hour, time.Hour, -40 * 24 * time.Hour, 4 * 365 * 24 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var shift, asked atomic.Int64
				o := fakeOptions([]string{"prod"}, 1, func(context.Context) (ganeti.Answer, error) {
					asked.Add(1)
					return ganeti.Answer{}, errDown
				})
				// As time.Now reads a clock that was set, without the monotonic reading.
				o.Now = func() time.Time { return time.Now().Round(0).Add(time.Duration(shift.Load())) }
				u, err := updater.New(t.Context(), o)
				must(t, err)
				stop := start(t, u)
				defer stop()
				for _, to := range []time.Duration{by, 0} {
					time.Sleep(10 * time.Minute)
					shift.Store(int64(to))
					before := asked.Load()
					time.Sleep(40 * time.Minute)
					synctest.Wait()
					if n := asked.Load() - before; n < 2 {
						t.Errorf("after the clock was set to %s: asked %d times in 40 minutes, want every 15", to, n)
					}
					must(t, u.Alive())
				}
			})
		})
	}
}

// TestPlan_ImpossibleStamps holds what counts as impossible, and that it is due at once.
func TestPlan_ImpossibleStamps(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 10, 0, time.UTC)
	at := func(d time.Duration) *time.Time { return new(now.Add(d)) }
	c := fakeClusters([]string{"prod"})[0]
	for _, test := range []struct {
		name  string
		fresh db.Freshness
		want  string
	}{
		{"as it should be", db.Freshness{AttemptedAt: at(-time.Minute), RefreshedAt: at(-time.Minute), NextDueAt: at(30 * time.Second)}, ""},
		{"clocks that differ a little", db.Freshness{AttemptedAt: at(time.Second), RefreshedAt: at(2 * time.Second)}, ""},
		{"refreshed in the future", db.Freshness{RefreshedAt: at(3 * time.Second), NextDueAt: at(30 * time.Second)}, "refreshed_at"},
		{"attempted in the future", db.Freshness{AttemptedAt: at(time.Hour)}, "attempted_at"},
		{"a snapshot of the future", db.Freshness{SnapshotAt: at(40 * 24 * time.Hour)}, "snapshot_at"},
		{"due in an hour, each minute", db.Freshness{RefreshedAt: at(-time.Second), NextDueAt: at(time.Hour)}, "next_due_at"},
		{"backing off", db.Freshness{AttemptedAt: at(-time.Second), ConsecutiveFailures: 9, NextDueAt: at(15 * time.Minute)}, ""},
		{"backing off for too long", db.Freshness{AttemptedAt: at(-time.Second), ConsecutiveFailures: 9, NextDueAt: at(16 * time.Minute)}, "next_due_at"},
		{"backing off for too long after one", db.Freshness{AttemptedAt: at(-time.Second), ConsecutiveFailures: 1, NextDueAt: at(5 * time.Minute)}, "next_due_at"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			stamps := updater.ImpossibleStamps(c, map[db.Kind]db.Freshness{db.KindVM: test.fresh}, now)
			switch {
			case test.want == "" && len(stamps) > 0:
				t.Errorf("impossible: %v", stamps)
			case test.want != "" && (len(stamps) != 1 || stamps[0].Column != test.want):
				t.Errorf("got %v, want one of %s", stamps, test.want)
			}
		})
	}
}

// TestRefresh_CorrectsTimesOfTheFuture has rows and freshness of a time that has not come, as a clock that was ahead leaves
// them: what is due is asked for at once, readers are told, and the next answer corrects all of it.
func TestRefresh_CorrectsTimesOfTheFuture(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 5}, "prod")
		r.mustRefresh("prod")
		at := time.Now().UTC().Add(time.Hour).Truncate(time.Microsecond)
		for _, query := range []string{
			"UPDATE freshness SET attempted_at = ?, refreshed_at = ?, snapshot_at = ?, next_due_at = ?",
			"UPDATE virtual_machines SET observed_at = ?", "UPDATE nodes SET observed_at = ?", "UPDATE clusters SET observed_at = ?",
		} {
			args := []any{at, at, at, at}[:strings.Count(query, "?")]
			if _, err := store.Writer().ExecContext(t.Context(), store.Writer().Rebind(query), args...); err != nil {
				t.Fatal(err)
			}
		}
		r.restart()
		reader := updater.NewReader(updater.ReaderOptions{Store: store, Updater: r.u})
		name := r.sim().Instances()[0].Name
		got, err := reader.VM(t.Context(), ref(name), nil, updater.CacheOnly())
		must(t, err)
		var clock *updater.ClockError
		if !errors.As(got.Err, &clock) || got.Age >= 0 {
			t.Errorf("a reader is told %v and an age of %s, want an error about the clock and a negative age", got.Err, got.Age)
		}
		must(t, r.sim().Retag(name, "new"))
		res, err := r.u.Refresh(t.Context(), "prod", updater.RefreshOptions{}) // as the schedule does
		must(t, err)
		must(t, res.Err())
		r.wantTruth()
		var ahead []int
		r.query(&ahead, "SELECT count(*) FROM virtual_machines WHERE observed_at > ?", at.Add(-time.Minute))
		r.query(&ahead, "SELECT count(*) FROM nodes WHERE observed_at > ?", at.Add(-time.Minute))
		r.query(&ahead, "SELECT count(*) FROM clusters WHERE observed_at > ?", at.Add(-time.Minute))
		r.query(&ahead, "SELECT count(*) FROM freshness WHERE attempted_at > ? OR refreshed_at > ? OR snapshot_at > ? OR next_due_at > ?",
			at.Add(-40*time.Minute), at.Add(-40*time.Minute), at.Add(-40*time.Minute), at.Add(-40*time.Minute))
		if fmt.Sprint(ahead) != "[0 0 0 0]" && fmt.Sprint(ahead) != "[0]" {
			t.Errorf("times in the future after the refresh (vms, nodes, clusters, freshness): %v", ahead)
		}
		said := r.logs.FilterMessageSnippet("times on record that cannot be").Len()
		if said != 1 {
			t.Errorf("said %d times, want once", said)
		}
	})
}

// TestReader_InsistingJoinsNothingThatHasBegun holds an answer that was true before a reader came: he must not get it.
func TestReader_InsistingJoinsNothingThatHasBegun(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 3}, "prod")
		r.mustRefresh("prod")
		answered, resume := make(chan struct{}), make(chan struct{})
		var once sync.Once
		connect := r.opts.Connect
		r.opts.Connect = func(s ganeti.Settings) (updater.Source, error) {
			src, err := connect(s)
			return heldSource{src, func() {
				once.Do(func() {
					close(answered)
					<-resume
				})
			}}, err
		}
		r.restart()
		reader := updater.NewReader(updater.ReaderOptions{Store: store, Updater: r.u})
		name := r.sim().Instances()[0].Name
		read := func() (db.VMView, error) {
			got, err := reader.VM(t.Context(), ref(name), nil, updater.MustBeFresh())
			return got.Value, err
		}
		var first sync.WaitGroup
		first.Go(func() {
			if _, err := read(); err != nil {
				t.Error(err)
			}
		})
		<-answered // and the VM changes
		must(t, r.sim().Retag(name, "after"))
		second := make(chan db.VMView, 1)
		go func() {
			v, err := read()
			if err != nil {
				t.Error(err)
			}
			second <- v
		}()
		// Whether the second has come yet or not, he must see the change.
		time.AfterFunc(100*time.Millisecond, func() { close(resume) })
		if v := <-second; len(v.Tags) != 1 || v.Tags[0] != "after" {
			t.Errorf("tags %v, want those of after the question", v.Tags)
		}
		first.Wait()
	})
}

// heldSource calls hold between an answer about one object and its use.
type heldSource struct {
	updater.Source

	hold func()
}

func (s heldSource) Item(ctx context.Context, r ganeti.Resource, name string) (ganeti.Answer, error) {
	a, err := s.Source.Item(ctx, r, name)
	s.hold()
	return a, err
}
