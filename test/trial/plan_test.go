package trial_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/test/trial"
)

func options(seed uint64) trial.PlanOptions {
	return trial.PlanOptions{Seed: seed, Storms: 200, Replicas: 3, Clusters: 12}
}

func TestPlan_sameSeed(t *testing.T) {
	first, second := trial.Plan(options(7)), trial.Plan(options(7))
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the same seed gave another plan (-first +second):\n%s", diff)
	}
	if cmp.Equal(first, trial.Plan(options(8))) {
		t.Error("another seed gave the same plan")
	}
	longer := options(7)
	longer.Storms = 300
	if diff := cmp.Diff(first, trial.Plan(longer)[:len(first)]); diff != "" {
		t.Errorf("a longer plan begins with other storms (-short +long):\n%s", diff)
	}
}

func TestPlan_storms(t *testing.T) {
	tried := map[string]int{}
	for i, s := range trial.Plan(options(1)) {
		if n := len(s.Steps); n < 1 || n > 4 {
			t.Errorf("storm %d has %d steps", i, n)
		}
		if s.Lasts() > 15*time.Second {
			t.Errorf("storm %d lasts %s", i, s.Lasts())
		}
		struck := map[trial.Target][]int{}
		for _, step := range s.Steps {
			tried[step.Name()]++
			if slices.Contains(struck[step.Target], step.Index) {
				t.Errorf("storm %d strikes %s %d twice", i, step.Target, step.Index)
			}
			struck[step.Target] = append(struck[step.Target], step.Index)
			if step.Act == "pause" && step.For <= 5*time.Second {
				t.Errorf("storm %d pauses a replica for %s, which its lease outlives", i, step.For)
			}
		}
	}
	for _, target := range []trial.Target{
		trial.AtReplica, trial.AtPostgres, trial.AtPostgresPath, trial.AtRAPIPath, trial.AtCluster, trial.AtOperator,
	} {
		for _, act := range trial.Acts(target) {
			if name := (trial.Step{Target: target, Act: act}).Name(); tried[name] == 0 {
				t.Errorf("200 storms never try %s", name)
			}
		}
	}
}

func TestPlan_longAway(t *testing.T) {
	o := options(1)
	o.LongAway = true
	away := 0
	for _, s := range trial.Plan(o) {
		for _, step := range s.Steps {
			if step.Target == trial.AtPostgres && step.For == time.Minute {
				away++
			}
		}
	}
	if away != 1 {
		t.Errorf("PostgreSQL is away for a minute %d times, want once", away)
	}
}
