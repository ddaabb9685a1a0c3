// Command neighbours has most of many simulated clusters hang or drip, and looks whether the others notice: whether they keep
// their interval, from a first start on, and how much memory the updater takes for those that it waits for. It ends with a table,
// and exits with 1 when a bound is broken.
//
//	go run ./test/neighbours -updater bin/updater
//	go run ./test/neighbours -updater bin/updater -small
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	lasts, interval time.Duration
	clusters, vms   int
	concurrency     int
	// patience is the factor of the default time-outs.
	patience    float64
	median, p99 float64
	memory      int64
	cases       []trouble
	updater     string
	log         bool
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
	if err := try(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "neighbours:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{median: 1.05, p99: 1.5}
	f := flag.NewFlagSet("neighbours", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.DurationVar(&o.lasts, "for", 5*time.Minute, "`time` that each case lasts")
	f.DurationVar(&o.interval, "interval", time.Minute, "`time` between two refreshes of a cluster")
	f.IntVar(&o.clusters, "clusters", 1000, "`number` of simulated clusters")
	f.IntVar(&o.vms, "vms", 5, "`number` of VMs in each")
	f.IntVar(&o.concurrency, "concurrency", 8, "the updater's `concurrency`")
	f.Float64Var(&o.patience, "patience", 1, "`factor` of the default time-outs")
	f.Int64Var(&o.memory, "memory", 64, "`MiB` that a case may take above the one in which none hangs")
	f.StringVar(&o.updater, "updater", "bin/updater", "the updater's `program`")
	f.BoolVar(&o.log, "log", false, "keep the folder with the logs")
	cases := f.String("cases", "0,5% hang,20% hang,90% hang,90% drip,90% later", "`list` of what share of the clusters does what")
	small := f.Bool("small", false, "40 clusters, a few seconds for each case")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if *small {
		o.clusters, o.concurrency, o.lasts, o.interval, o.patience = 40, 2, 14*time.Second, 3*time.Second, 0.2
		*cases = "75% hang,75% drip"
	}
	for text := range strings.SplitSeq(*cases, ",") {
		c, err := parseTrouble(text)
		if err != nil {
			fmt.Fprintln(stderr, "neighbours:", err)
			return o, err
		}
		o.cases = append(o.cases, c)
	}
	if o.lasts < 3*o.interval || o.clusters < 2 || o.vms < 1 || o.concurrency < 1 || o.patience <= 0 {
		err := errors.New("neighbours: -for must be three times -interval or more, -clusters 2 or more, -vms, -concurrency and -patience above 0")
		fmt.Fprintln(stderr, err)
		return o, err
	}
	return o, nil
}

// try goes through the cases, each with a world, a database and a process of its own.
func try(ctx context.Context, o options, out io.Writer) error {
	folder, err := os.MkdirTemp("", "neighbours-")
	if err != nil {
		return fmt.Errorf("making a folder for the trial: %w", err)
	}
	if err := os.Chmod(folder, 0o711); err != nil { //nolint:gosec // PostgreSQL, as another user, has its folder in it
		return fmt.Errorf("opening the trial's folder to PostgreSQL: %w", err)
	}
	var found []finding
	for i, c := range o.cases {
		at := filepath.Join(folder, fmt.Sprintf("case%d", i+1))
		if err := os.Mkdir(at, 0o711); err != nil { //nolint:gosec // likewise
			return fmt.Errorf("making a folder for a case: %w", err)
		}
		r := &rig{options: o, trouble: c, folder: at}
		f, err := r.run(ctx)
		if err = errors.Join(err, r.close()); err != nil {
			return fmt.Errorf("%s: %w\nthe logs are in %s", c, err, folder)
		}
		found = append(found, f)
		fmt.Fprintln(out, f)
	}
	if err := report(o, found, out); err != nil {
		return fmt.Errorf("%w\nthe logs are in %s", err, folder)
	}
	if o.log {
		fmt.Fprintln(out, "the logs are in", folder)
		return nil
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("removing %s: %w", folder, err)
	}
	return nil
}
