package trial

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Target is what a step of a storm strikes.
type Target string

// The targets. A step's Index says which of several.
const (
	AtReplica      Target = "replica"
	AtPostgres     Target = "postgres"
	AtPostgresPath Target = "replica-to-postgres"
	AtRAPIPath     Target = "rapi-path"
	AtCluster      Target = "cluster"
	AtOperator     Target = "operator"
)

// Step is one thing that goes wrong in a storm.
type Step struct {
	Target Target
	// Index is which replica or cluster.
	Index int
	// Act is what happens to it, one of [Acts].
	Act string
	// After is when it begins, counted from the storm's beginning; For is how long it lasts.
	After, For time.Duration
	// Detail decides what the act leaves open, such as which VM.
	Detail uint64
}

// Name is how the step is counted.
func (s Step) Name() string { return string(s.Target) + ": " + s.Act }

// String tells the step in one line.
func (s Step) String() string {
	return fmt.Sprintf("+%-5s %s %d %s for %s", s.After, s.Target, s.Index, s.Act, s.For)
}

// Storm is a few steps that overlap; calm follows.
type Storm struct{ Steps []Step }

// Lasts is the time until the last step has ended.
func (s Storm) Lasts() time.Duration {
	var end time.Duration
	for _, step := range s.Steps {
		end = max(end, step.After+step.For)
	}
	return end
}

// PlanOptions are what a plan depends on, and all of it.
type PlanOptions struct {
	Seed               uint64
	Storms             int
	Replicas, Clusters int
	// LongAway puts one minute without PostgreSQL into the plan.
	LongAway bool
}

// Plan makes the storms. Equal options make equal plans, and storm n is the same however many follow.
func Plan(o PlanOptions) []Storm {
	storms := make([]Storm, o.Storms)
	for i := range storms {
		storms[i] = storm(rand.New(rand.NewPCG(o.Seed, uint64(i))), o)
	}
	if o.LongAway && len(storms) > 0 {
		storms[len(storms)/4] = Storm{Steps: []Step{{Target: AtPostgres, Act: "away", For: time.Minute}}}
	}
	return storms
}

// Acts lists what can be done to a target. Some are listed more than once: they are more likely.
func Acts(t Target) []string {
	switch t {
	case AtReplica:
		return []string{"kill -9", "pause", "pause"}
	case AtPostgres:
		return []string{"restart fast", "restart immediate", "restart kill -9", "away"}
	case AtPostgresPath:
		return []string{string(Cut), string(Reset), string(Delay), string(Stall), string(Limit)}
	case AtRAPIPath:
		return []string{string(Cut), string(Reset), string(Delay), string(Garble), string(Slow), string(Stall), string(Limit)}
	case AtCluster:
		return []string{
			"hang", "status 401", "status 500", "status 502", "html", "garbage", "cut body", "wrong length", "empty list",
			"trickle", "endless body", "other uuid", "half the listing", "bad item", "item without uuid",
		}
	case AtOperator:
		return []string{"once"}
	}
	return nil
}

func storm(rng *rand.Rand, o PlanOptions) Storm {
	// A cluster is struck once at most in a storm: two different lies about what it has would count as one seen twice.
	targets := []Target{
		AtReplica, AtReplica, AtPostgres, AtPostgresPath, AtPostgresPath, AtRAPIPath, AtRAPIPath, AtCluster, AtCluster, AtCluster,
		AtOperator,
	}
	var s Storm
	taken := map[Target][]int{}
	for range 1 + rng.IntN(4) {
		step := Step{Target: targets[rng.IntN(len(targets))], Detail: rng.Uint64()}
		acts := Acts(step.Target)
		step.Act = acts[rng.IntN(len(acts))]
		step.Index = rng.IntN(count(step.Target, o))
		step.After = time.Duration(rng.IntN(30)) * 100 * time.Millisecond
		step.For = length(rng, step)
		if slices.Contains(taken[step.Target], step.Index) {
			continue
		}
		taken[step.Target] = append(taken[step.Target], step.Index)
		s.Steps = append(s.Steps, step)
	}
	return s
}

// count is how many there are of a target.
func count(t Target, o PlanOptions) int {
	switch t {
	case AtReplica, AtPostgresPath, AtOperator:
		return o.Replicas
	case AtRAPIPath, AtCluster:
		return o.Clusters
	case AtPostgres:
	}
	return 1
}

// length draws how long a step lasts: a pause always longer than a lease of 5 s, a restart as long as it takes.
func length(rng *rand.Rand, s Step) time.Duration {
	between := func(low, high int) time.Duration {
		return time.Duration(low*10+rng.IntN((high-low)*10)) * 100 * time.Millisecond
	}
	switch {
	case s.Target == AtOperator:
		return 0
	case s.Target == AtReplica && s.Act == "pause":
		return between(6, 12)
	case s.Target == AtReplica:
		return between(1, 8)
	case s.Target == AtPostgres && s.Act == "away":
		return between(3, 8)
	case s.Target == AtPostgres:
		return 0
	}
	return between(4, 12)
}
