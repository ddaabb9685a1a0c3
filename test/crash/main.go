// Command crash is the trial of kill -9: it starts `updater --once` again and again after changes of simulated clusters,
// kills it at a random moment, lets one undisturbed run follow, and then compares every row, id, grant and change with the
// clusters and with what was there before. It does so for SQLite and for a private PostgreSQL made of the installed
// programs, prints a table of what was tried and what was lost, and exits with 1 if anything was.
//
//	make build && go run ./test/crash -moments 200
//
// The same seed makes the same clusters, the same changes and the same moments as shares of a run's duration, which is
// measured first; how far a run has come by then is the machine's own affair.
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

	"ganeticache/ganeti/rapisim"
)

// options are the flags of the trial.
type options struct {
	moments       int
	freezes       int
	seed          uint64
	updater       string
	clusters, vms int
	only          string
	verbose       bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	lost, err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(2)
	case lost > 0:
		os.Exit(1)
	}
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("crash", flag.ContinueOnError)
	f.SetOutput(out)
	f.IntVar(&o.moments, "moments", 200, "kill `N` times on each database")
	f.IntVar(&o.freezes, "freezes", 5, "on PostgreSQL, stop a replica `N` times in the middle of an apply, for longer than its lease, and wake it")
	f.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "`seed` of clusters, changes and moments")
	f.StringVar(&o.updater, "updater", "bin/updater", "`path` of the program to kill")
	f.IntVar(&o.clusters, "clusters", 2, "simulate `N` clusters")
	f.IntVar(&o.vms, "vms", 2000, "with `N` VMs each")
	f.StringVar(&o.only, "only", "", "try one `database`: sqlite or postgres")
	f.BoolVar(&o.verbose, "v", false, "print a line for each kill")
	err := f.Parse(args)
	if err == nil && o.only != "" && o.only != "sqlite" && o.only != "postgres" {
		err = fmt.Errorf("-only %q: write sqlite or postgres", o.only)
	}
	if err == nil {
		o.updater, err = filepath.Abs(o.updater)
	}
	return o, err
}

// run does the trial and gives the number of things lost.
func run(ctx context.Context, args []string, out io.Writer) (int, error) {
	o, err := parse(args, out)
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(o.updater); err != nil {
		return 0, fmt.Errorf("finding the program to kill (make build makes it): %w", err)
	}
	fmt.Fprintf(out, "seed %d: %d clusters of %d VMs, %d kills for each database\n", o.seed, o.clusters, o.vms, o.moments)
	dir, err := os.MkdirTemp("", "crash-")
	if err != nil {
		return 0, fmt.Errorf("making a directory for the trial: %w", err)
	}
	scores, err := tryAll(ctx, o, dir, out)
	err = errors.Join(err, os.RemoveAll(dir))
	lost := 0
	for _, s := range scores {
		lost += s.lost()
		for _, f := range s.findings {
			fmt.Fprintf(out, "%s: %s\n", s.database, f)
		}
	}
	fmt.Fprintln(out, report(scores))
	return lost, err
}

// tryAll does the trial on each database; the scores of those it came to are returned with any error.
func tryAll(ctx context.Context, o options, dir string, out io.Writer) ([]*score, error) {
	var scores []*score
	for _, c := range []struct {
		name string
		open func(context.Context, string) (database, error)
	}{{"sqlite", newSQLite}, {"postgres", newPostgres}} {
		if o.only != "" && o.only != c.name {
			continue
		}
		d, err := c.open(ctx, dir)
		if err != nil {
			return scores, err
		}
		s := &score{database: c.name, hits: map[phase]int{}}
		scores = append(scores, s)
		if err := errors.Join(tryOne(ctx, o, d, s, dir, out), d.close()); err != nil {
			return scores, fmt.Errorf("trying %s: %w", c.name, err)
		}
	}
	return scores, nil
}

func tryOne(ctx context.Context, o options, d database, s *score, dir string, out io.Writer) error {
	farm, err := rapisim.NewFarm(o.clusters, rapisim.Options{
		Seed: o.seed, VMs: o.vms, Nodes: 20, Groups: 3, Networks: 5, Jobs: 100, KVMShare: 0.3, Password: password,
	})
	if err != nil {
		return fmt.Errorf("starting the simulated clusters: %w", err)
	}
	defer farm.Close()
	t := &trial{
		o: o, d: d, s: s, farm: farm, out: out, dir: dir,
		rng: rand.New(rand.NewPCG(o.seed, 1)), estimate: map[storm]time.Duration{},
	}
	return t.run(ctx)
}
