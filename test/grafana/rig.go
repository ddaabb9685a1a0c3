package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"ganeticache/ganeti/rapisim"
	"ganeticache/test/grafana/board"
	"ganeticache/test/trial"
)

const (
	interval = 2 * time.Second // between two refreshes
	lease    = 6 * time.Second
	scrape   = time.Second
)

// rig is the demo and what asks it.
type rig struct {
	options

	folder string
	out    io.Writer

	postgres *trial.Postgres
	world    *trial.World
	replicas []*trial.Updater
	reader   *sqlx.DB
	server   *prometheus
	boards   []*board.Dashboard
}

func (r *rig) close() error {
	var errs []error
	for _, u := range r.replicas {
		errs = append(errs, u.Terminate())
	}
	if r.server != nil {
		errs = append(errs, r.server.Terminate())
	}
	if r.reader != nil {
		errs = append(errs, r.reader.Close())
	}
	if r.postgres != nil {
		errs = append(errs, r.postgres.Close())
	}
	if r.world != nil {
		r.world.Close()
	}
	return errors.Join(errs...)
}

func (r *rig) run(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(r.deploy, "grafana", "dashboards", "*.json"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("there is no dashboard below %s (%w)", r.deploy, err)
	}
	for _, file := range files {
		d, err := board.Read(file)
		if err != nil {
			return err
		}
		r.boards = append(r.boards, d)
	}
	if err := r.build(ctx); err != nil {
		return err
	}
	living, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { r.world.Live(living, 2) })
	err = r.living(ctx)
	cancel()
	beside.Wait()
	if err != nil {
		return err
	}
	return r.crowded(ctx)
}

// The clusters' parts. Those without a name are healthy.
const (
	dotted   = iota // has a name that regular expressions read otherwise
	fails           // answers, and later fails
	lacks           // has an item that cannot be read at all, so that removals are withheld
	spoils          // has an item that cannot be parsed
	unlocked        // lets nobody in from the beginning
	clusters = 7
)

// build starts everything.
func (r *rig) build(ctx context.Context) (err error) {
	if r.postgres, err = trial.NewPostgres(ctx, r.folder); err != nil {
		return err
	}
	if r.world, err = trial.NewWorld(trial.WorldOptions{Clusters: clusters, VMs: 20, Seed: 1}); err != nil {
		return err
	}
	r.world.Clusters[dotted].Name = "eu.berlin-1"
	r.world.Clusters[unlocked].Server.Hurt(rapisim.Status(401))
	var targets []string
	for i := range 2 {
		config, err := trial.NewConfig(r.folder, r.postgres.URL(0), interval, r.world)
		if err != nil {
			return err
		}
		config.Lease = lease.String()
		u, err := trial.NewUpdater(trial.UpdaterOptions{
			Name: fmt.Sprintf("updater-%d", i+1), Binary: r.updater, Folder: r.folder, Config: config,
		}, &trial.Score{})
		if err != nil {
			return err
		}
		r.replicas, targets = append(r.replicas, u), append(targets, u.Address())
	}
	if err := r.replicas[0].ApplySchema(ctx); err != nil {
		return err
	}
	if err := r.openAsReader(ctx); err != nil {
		return err
	}
	for _, u := range r.replicas {
		if err := u.Start(); err != nil {
			return err
		}
	}
	r.server, err = startPrometheus(filepath.Join(r.folder, "prometheus"), filepath.Join(r.deploy, "prometheus", "rules.yml"), scrape, targets)
	return err
}

// openAsReader makes the role that Grafana reads as, in the way that the Compose file does.
func (r *rig) openAsReader(ctx context.Context) error {
	password := filepath.Join(r.folder, "reader_password")
	if err := os.WriteFile(password, []byte("it's a \"secret\"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the reader's password: %w", err)
	}
	psql := exec.CommandContext(ctx, "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", //nolint:gosec // our own script
		"--dbname="+r.postgres.URL(0), "--file="+filepath.Join(r.deploy, "compose", "postgresql", "reader.sql"))
	psql.Env = append(os.Environ(), "READER_PASSWORD_FILE="+password)
	if out, err := psql.CombinedOutput(); err != nil {
		return fmt.Errorf("making the reader's role: %w\n%s", err, out)
	}
	u, err := url.Parse(r.postgres.URL(0))
	if err != nil {
		return fmt.Errorf("reading the database's URL: %w", err)
	}
	u.User = url.User("ganeti_reader")
	if r.reader, err = sqlx.Open("postgres", u.String()); err != nil {
		return fmt.Errorf("opening the database as the reader: %w", err)
	}
	return nil
}

// living has the demo show everything that there is to see, and asks until all is seen.
func (r *rig) living(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	// A cluster that fails from the beginning has no age.
	if err := r.server.until(ctx, fmt.Sprintf(`count(count by (cluster) (ganeti_updater_last_success_timestamp_seconds{kind="network"})) == %d`, clusters-1)); err != nil {
		return err
	}
	for at, act := range map[int]string{fails: "status 502", lacks: "item without uuid", spoils: "bad item"} {
		// It stands still, or the VM that is to be spoilt may be removed.
		r.world.Clusters[at].Freeze()
		if _, err := r.world.Clusters[at].Misbehave(ctx, act, 1); err != nil {
			return err
		}
	}
	// One updater dies, the other takes over, and it comes back.
	if err := r.replicas[1].Kill(); err != nil {
		return err
	}
	if err := r.server.until(ctx, `sum(ganeti_updater_lease_takeovers_total) > 0`); err != nil {
		return err
	}
	if err := r.replicas[1].Start(); err != nil {
		return err
	}
	return r.ask(ctx)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
