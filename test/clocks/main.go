// Command clocks is the trial of wrong clocks. The shipped updater runs with a clock that is set while it works, by seconds
// and by years, alone and beside a replica whose clock is right, on both databases; and PostgreSQL runs with such a clock, or
// is replaced by a standby whose clock is behind. Meanwhile and afterwards the rows must be right within two intervals,
// readers that insist must see what is true, and nothing is purged and no grant lost. The exit code is 1 otherwise.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"golang.org/x/sync/errgroup"

	"ganeticache/test/trial"
)

const day = 24 * time.Hour

func main() {
	parallel := flag.Int("parallel", 3, "how many scenes play at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *parallel)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "clocks: %v\n", err)
		os.Exit(1)
	}
}

// scenes lists what is played.
func scenes() []*scene {
	var all []*scene
	for _, by := range []time.Duration{
		time.Second, -time.Second, 5 * time.Second, -5 * time.Second, time.Hour, -time.Hour, 40 * day, 4 * 365 * day,
	} {
		all = append(all,
			&scene{database: "sqlite", replicas: 1, whose: "updater", by: by},
			&scene{database: "postgres", replicas: 1, whose: "updater", by: by},
			&scene{database: "postgres", replicas: 2, whose: "updater", by: by})
	}
	for _, by := range []time.Duration{-time.Hour, time.Hour, 40 * day} {
		all = append(all, &scene{database: "postgres", replicas: 2, whose: "database", by: by})
	}
	return append(all, &scene{database: "postgres", replicas: 1, whose: "standby", by: -time.Hour})
}

func run(ctx context.Context, parallel int) error {
	dir, err := os.MkdirTemp("", "clocks-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the servers' user must get through
		return fmt.Errorf("opening the directory: %w", err)
	}
	program, err := trial.BuildShifted(ctx, "ganeticache/cmd/updater", dir)
	if err != nil {
		return err
	}
	t := table.NewWriter()
	t.AppendHeader(table.Row{"database", "replicas", "whose clock", "set by", "reads", "stale", "failed", "outcome"})
	var mu sync.Mutex
	bad := 0
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, s := range scenes() {
		g.Go(func() error {
			s.program, s.dir = program, filepath.Join(dir, fmt.Sprint("scene", i))
			err := s.play(ctx)
			outcome := "ok"
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				bad++
				outcome = err.Error()
			}
			t.AppendRow(table.Row{s.database, s.replicas, s.whose, s.by, s.reads, s.stale, s.refused, outcome})
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, t.Render())
	if bad > 0 {
		return fmt.Errorf("%d scenes went wrong", bad)
	}
	return nil
}
