// Command chaos lets several updater daemons, a PostgreSQL and simulated Ganeti clusters live together, makes storms over
// them (processes killed and paused, the database restarted and away, connections cut, delayed and garbled, clusters that
// misbehave), and after each storm compares everything with everything. It ends with a table of what was tried and what
// was lost, and exits with 1 unless each loss is zero.
//
//	go run ./test/chaos -for 2m -updater bin/updater
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"ganeticache/test/trial"
)

// options are the flags.
type options struct {
	lasts                   time.Duration
	seed                    uint64
	replicas, clusters, vms int
	rate                    float64
	skew                    time.Duration
	updater                 string
	planOnly, verbose       bool
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(args, stderr)
	if err != nil {
		return 2
	}
	if err := chaos(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.DurationVar(&o.lasts, "for", 2*time.Minute, "begin no storm after this `time`")
	f.Uint64Var(&o.seed, "seed", 0, "`number` that decides the storms and the clusters; 0: a new one, which is printed")
	f.IntVar(&o.replicas, "replicas", 3, "`number` of updater daemons")
	f.IntVar(&o.clusters, "clusters", 12, "`number` of simulated clusters")
	f.IntVar(&o.vms, "vms", 40, "`number` of VMs in each; 30 at least, so that half of them is more than the guard lets go")
	f.Float64Var(&o.rate, "rate", 3, "changes a second in each cluster")
	f.DurationVar(&o.skew, "skew", 0, "`time` by which the clock of each replica is ahead of that of the one before, in whole seconds; needs Go, to build the updater for it")
	f.StringVar(&o.updater, "updater", "bin/updater", "the updater's `program`")
	f.BoolVar(&o.planOnly, "plan", false, "print the storms and do nothing")
	f.BoolVar(&o.verbose, "v", false, "tell each storm and each calm")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.replicas < 1 || o.clusters < 1 || o.vms < 30 || o.rate <= 0 {
		err := errors.New("chaos: -replicas and -clusters must be 1 or more, -vms 30 or more, -rate above 0")
		fmt.Fprintln(stderr, err)
		return o, err
	}
	if o.seed == 0 {
		o.seed = uint64(rand.Uint32()) + 1
	}
	return o, nil
}

// aMinuteAway is how long a run must be for PostgreSQL to be away for a minute of it.
const aMinuteAway = 10 * time.Minute

// plan makes more storms than there can be in the time.
func (o options) plan() []trial.Storm {
	return trial.Plan(trial.PlanOptions{
		Seed: o.seed, Storms: int(o.lasts/(5*time.Second)) + 1, Replicas: o.replicas, Clusters: o.clusters,
		LongAway: o.lasts >= aMinuteAway,
	})
}

func chaos(ctx context.Context, o options, out io.Writer) (err error) {
	say := func(format string, args ...any) {
		fmt.Fprintf(out, format+"\n", args...) // who cannot see the progress still gets the exit code
	}
	say("seed %d (the same storms again: -seed %d -for %s -replicas %d -clusters %d -skew %s)", o.seed, o.seed, o.lasts, o.replicas, o.clusters, o.skew)
	if o.planOnly {
		for i, storm := range o.plan() {
			say("storm %d", i+1)
			for _, step := range storm.Steps {
				say("  %s", step)
			}
		}
		return nil
	}
	folder, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return fmt.Errorf("making a folder for the trial: %w", err)
	}
	if err := os.Chmod(folder, 0o711); err != nil { //nolint:gosec // PostgreSQL, as another user, has its folder in it
		return fmt.Errorf("opening the trial's folder to PostgreSQL: %w", err)
	}
	r := &rig{options: o, folder: folder, score: &trial.Score{}, say: say}
	err = errors.Join(r.run(ctx), r.close())
	if printErr := r.score.Print(out, trial.Losses()...); printErr != nil {
		err = errors.Join(err, printErr)
	}
	for _, detail := range r.score.Details() {
		say("- %s", detail)
	}
	if n := r.score.Lost(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d losses, see above", n))
	}
	if err != nil {
		return fmt.Errorf("%w\nseed %d; the logs are in %s", err, o.seed, folder)
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("removing %s: %w", filepath.Clean(folder), err)
	}
	return nil
}
