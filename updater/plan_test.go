package updater_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/robfig/cron/v3"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/updater"
)

func schedule(t *testing.T, expr string) cron.Schedule {
	t.Helper()
	s, err := cron.ParseStandard(expr)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func every(d time.Duration) cron.Schedule { return cron.Every(d) }

func TestBackoff_GrowsFromTheIntervalToAQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		interval time.Duration
		failures int
		want     time.Duration
	}{
		{time.Minute, 1, time.Minute},
		{time.Minute, 2, 2 * time.Minute},
		{time.Minute, 3, 4 * time.Minute},
		{time.Minute, 4, 8 * time.Minute},
		{time.Minute, 5, 15 * time.Minute},
		{time.Minute, 1 << 40, 15 * time.Minute},
		{time.Hour, 1, time.Hour}, // never more often than the schedule
		{time.Hour, 9, time.Hour},
	} {
		for early, want := range map[float64]time.Duration{0: tt.want, 0.5: tt.want * 19 / 20, 0.99999: tt.want * 9 / 10} {
			got := updater.Backoff(tt.interval, tt.failures, early)
			if (got - want).Abs() > time.Second {
				t.Errorf("backoff(%s, %d failures, %g early) = %s, want %s", tt.interval, tt.failures, early, got, want)
			}
		}
	}
}

func TestPlan_SpreadsClustersAndStaysPut(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	halves := map[bool]int{}
	for i := range 200 {
		c := updater.Cluster{
			Name:      fmt.Sprintf("cluster-%d", i),
			Schedules: map[db.Kind]cron.Schedule{db.KindVM: every(time.Minute)},
		}
		first := updater.NewPlan(c).Next(start)
		if later := updater.NewPlan(c).Next(first.Add(-time.Millisecond)); !later.Equal(first) {
			t.Fatalf("%s ticks at %s and, asked again, at %s: a restart must not move it", c.Name, first, later)
		}
		if next := updater.NewPlan(c).Next(first); next.Sub(first) != time.Minute {
			t.Fatalf("%s: %s between two ticks, want 1m", c.Name, next.Sub(first))
		}
		halves[first.Sub(start) < 30*time.Second]++
	}
	if halves[true] < 60 || halves[false] < 60 {
		t.Errorf("%d of 200 clusters tick in the first half of the minute, %d in the second; want them spread", halves[true], halves[false])
	}
}

func TestPlan_ShiftsClockTimesOnlyALittle(t *testing.T) {
	t.Parallel()
	c := updater.Cluster{Name: "prod", Schedules: map[db.Kind]cron.Schedule{db.KindVM: schedule(t, "0 3 * * *")}}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	three := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	if got := updater.NewPlan(c).Next(noon); got.Before(three) || got.After(three.Add(time.Minute)) {
		t.Errorf("next after noon = %s, want within a minute after %s", got, three)
	}
}

// Clusters are spread by a shift of each turn; on days when clocks change, each still has its turn once.
func TestPlan_HasEachDailyTurnOnceWhenClocksChange(t *testing.T) {
	t.Parallel()
	for zone, expr := range map[string]string{
		"Europe/Berlin": "30 2 * * *", "Africa/Cairo": "@daily", "America/Santiago": "0 0 * * *", "Australia/Lord_Howe": "59 1 * * *",
		"America/New_York": "59 1 * * *", "America/Havana": "0 0 * * *",
	} {
		s, err := config.ParseSchedule("CRON_TZ=" + zone + " " + expr)
		if err != nil {
			t.Fatal(err)
		}
		there, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			p := updater.NewPlan(updater.Cluster{Name: fmt.Sprintf("cluster-%d", i), Schedules: map[db.Kind]cron.Schedule{db.KindVM: s}})
			at := time.Date(2027, 1, 1, 12, 0, 0, 0, there)
			for day := range 365 {
				next, want := p.Next(at), time.Date(2027, 1, 2+day, 12, 0, 0, 0, there)
				if next.After(want) || next.Before(want.AddDate(0, 0, -1)) {
					t.Fatalf("%s, %s, cluster %d: after %s comes %s; want one each day", zone, expr, i, at, next)
				}
				if again := p.Next(next); again.Before(want) {
					t.Fatalf("%s, %s, cluster %d: after %s comes %s, twice in a day", zone, expr, i, next, again)
				}
				at = want
			}
		}
	}
}

func TestPlan_DueByKind(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	past, future := now.Add(-time.Second), now.Add(time.Second)
	p := updater.NewPlan(updater.Cluster{Name: "prod", Schedules: map[db.Kind]cron.Schedule{
		db.KindVM: every(time.Minute), db.KindNode: every(time.Minute), db.KindGroup: every(15 * time.Minute),
		db.KindNetwork: every(15 * time.Minute),
	}})
	got := p.Due(now, map[db.Kind]db.Freshness{
		db.KindVM:    {NextDueAt: &now},
		db.KindNode:  {NextDueAt: &past},
		db.KindGroup: {NextDueAt: &future},
		db.KindJob:   {NextDueAt: &past}, // no schedule: off
	})
	if diff := cmp.Diff([]db.Kind{db.KindNode, db.KindNetwork, db.KindVM}, got); diff != "" {
		t.Errorf("due kinds (-want +got):\n%s", diff)
	}
}

func TestPlan_SlowKindsTickTogetherWithFastOnes(t *testing.T) {
	t.Parallel()
	p := updater.NewPlan(updater.Cluster{Name: "prod", Schedules: map[db.Kind]cron.Schedule{
		db.KindVM: every(time.Minute), db.KindGroup: every(15 * time.Minute),
	}})
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	group := p.NextOf(db.KindGroup, now)
	if tick := p.NextOf(db.KindVM, group.Add(-time.Millisecond)); !tick.Equal(group) {
		t.Errorf("groups are due at %s, the VMs' tick is at %s: want the same, one refresh for both", group, tick)
	}
}

func TestPlan_WithoutSchedulesNeverTicks(t *testing.T) {
	t.Parallel()
	if got := updater.NewPlan(updater.Cluster{Name: "prod"}).Next(time.Now()); !got.IsZero() {
		t.Errorf("next = %s, want never", got)
	}
}

func TestPlan_TicksWhenTheBudgetLetsGo(t *testing.T) {
	t.Parallel()
	c := updater.Cluster{Name: "prod", Budget: 0.1, Schedules: map[db.Kind]cron.Schedule{db.KindVM: every(time.Minute)}}
	start := updater.NewPlan(c).Next(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	s := updater.Held(c, start.Add(150*time.Second))
	var got []time.Duration
	for now := start; len(got) < 4; {
		now = s.Next(now)
		got = append(got, now.Sub(start))
	}
	want := []time.Duration{60 * time.Second, 120 * time.Second, 150 * time.Second, 180 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ticks of every minute, held for 2m30s (-want +got):\n%s", diff)
	}
}

func TestPlan_KindsOfAHeldClusterWaitTogether(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 2, 0, 0, time.UTC)
	began, past, future := now.Add(-2*time.Minute), now.Add(-time.Second), now.Add(time.Second)
	c := updater.Cluster{Name: "prod", Budget: 0.1, Schedules: map[db.Kind]cron.Schedule{
		db.KindVM: every(time.Minute), db.KindGroup: every(15 * time.Minute),
	}}
	fresh := map[db.Kind]db.Freshness{
		db.KindCluster: {RefreshedAt: &began, NextDueAt: &future}, db.KindVM: {NextDueAt: &future}, db.KindGroup: {NextDueAt: &past},
	}
	if got := updater.NewPlan(c).Due(now, fresh); len(got) != 0 {
		t.Errorf("%v are due, want nothing a second before the budget lets go", got)
	}
	if got := updater.NewPlan(c).Due(future, fresh); len(got) != 2 {
		t.Errorf("%v are due then, want both kinds", got)
	}
	c.Budget = 0
	if got := updater.NewPlan(c).Due(now, fresh); len(got) != 1 {
		t.Errorf("%v are due without a budget, want the group", got)
	}
}
