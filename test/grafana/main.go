// Command grafana runs every query of the dashboards in deploy/grafana against a living demo: simulated clusters, of
// which some misbehave, two updaters on one PostgreSQL, and Prometheus with the rules of deploy/prometheus. Grafana's part
// is played by package board. A query that fails, or that shows nothing, fails the check. Then it asks the same of 1,000
// clusters, and no answer may be too long for a panel. It needs Debian's prometheus and PostgreSQL's programs.
//
//	go run ./test/grafana -updater bin/updater
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
)

// options are the flags.
type options struct {
	updater, deploy string
	patience        time.Duration
	crowd           int
	list            bool
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	f := flag.NewFlagSet("grafana", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.updater, "updater", "bin/updater", "the updater's `program`")
	f.StringVar(&o.deploy, "deploy", "deploy", "the `folder` with grafana, prometheus, compose and postgresql")
	f.DurationVar(&o.patience, "patience", 4*time.Minute, "`time` until every query must have shown something")
	f.IntVar(&o.crowd, "crowd", 1000, "`number` of clusters with which answers must stay short")
	f.BoolVar(&o.list, "v", false, "print what each query showed")
	if f.Parse(args) != nil {
		return 2
	}
	if err := check(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "grafana:", err)
		return 1
	}
	return 0
}

func check(ctx context.Context, o options, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "grafana-")
	if err != nil {
		return fmt.Errorf("making a folder for the check: %w", err)
	}
	if err := os.Chmod(folder, 0o711); err != nil { //nolint:gosec // PostgreSQL, as another user, has its folder in it
		return fmt.Errorf("opening the check's folder to PostgreSQL: %w", err)
	}
	r := &rig{options: o, folder: folder, out: out}
	if err := errors.Join(r.run(ctx), r.close()); err != nil {
		return fmt.Errorf("%w\nthe logs are in %s", err, folder)
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("removing %s: %w", folder, err)
	}
	return nil
}
