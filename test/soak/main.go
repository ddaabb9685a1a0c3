// Command soak runs one updater daemon for a while over many simulated clusters, of which one hangs and one answers
// without end, takes its PostgreSQL away for a minute in the middle, and looks whether memory, goroutines, open files and
// connections stay flat. It ends with a table, and exits with 1 when something grew or did not come back.
//
//	go run ./test/soak -for 15m -updater bin/updater
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"ganeticache/test/trial"
)

// options are the flags.
type options struct {
	lasts, away   time.Duration
	clusters, vms int
	rate          float64
	updater       string
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
	if err := soak(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "soak:", err)
		return 1
	}
	return 0
}

// shortest is how long a soak must last at least: warm-up and samples before and after a minute without PostgreSQL.
const shortest = 3 * time.Minute

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("soak", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.DurationVar(&o.lasts, "for", 15*time.Minute, "`time` it lasts, 3m or more")
	f.DurationVar(&o.away, "away", time.Minute, "`time` without PostgreSQL in the middle")
	f.IntVar(&o.clusters, "clusters", 200, "`number` of simulated clusters")
	f.IntVar(&o.vms, "vms", 50, "`number` of VMs in each")
	f.Float64Var(&o.rate, "rate", 0.05, "changes a second in each cluster")
	f.StringVar(&o.updater, "updater", "bin/updater", "the updater's `program`")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.lasts < shortest || o.clusters < 3 || o.vms < 1 || o.rate <= 0 || o.away > o.lasts/3 {
		err := errors.New("soak: -for must be 3m or more, -clusters 3 or more, -vms 1 or more, -rate above 0, -away a third of -for or less")
		fmt.Fprintln(stderr, err)
		return o, err
	}
	return o, nil
}

func soak(ctx context.Context, o options, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return fmt.Errorf("making a folder for the trial: %w", err)
	}
	if err := os.Chmod(folder, 0o711); err != nil { //nolint:gosec // PostgreSQL, as another user, has its folder in it
		return fmt.Errorf("opening the trial's folder to PostgreSQL: %w", err)
	}
	r := &rig{options: o, folder: folder, score: &trial.Score{}, out: out}
	err = errors.Join(r.run(ctx), r.close())
	err = errors.Join(err, r.report())
	for _, detail := range r.score.Details() {
		err = errors.Join(err, errors.New(detail))
	}
	if err != nil {
		return fmt.Errorf("%w\nthe logs are in %s", err, folder)
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("removing %s: %w", folder, err)
	}
	return nil
}
