package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"ganeticache/test/trial"
)

const (
	// interval is the daemons' schedule for every kind.
	interval = time.Second
	// lease is their lease time: shorter than every pause of a plan.
	lease = 5 * time.Second
)

// rig is everything a run of chaos consists of.
type rig struct {
	options

	folder string
	score  *trial.Score
	say    func(format string, args ...any)

	postgres *trial.Postgres
	world    *trial.World
	paths    []*trial.Front // from each replica to PostgreSQL
	replicas []*trial.Updater
	db       *sqlx.DB
	judge    *trial.Judge
	audit    *trial.Audit
	grants   *trial.Grants

	// slowest is how long the slowest calm took to make everything fresh.
	slowest time.Duration
}

// close ends what run has begun, in whatever state that is.
func (r *rig) close() error {
	var errs []error
	for _, u := range r.replicas {
		errs = append(errs, u.Wake(), u.Terminate())
	}
	for _, f := range r.paths {
		f.Close()
	}
	if r.db != nil {
		errs = append(errs, r.db.Close())
	}
	if r.postgres != nil {
		errs = append(errs, r.postgres.Close())
	}
	if r.world != nil {
		r.world.Close()
	}
	return errors.Join(errs...)
}

// build starts everything and waits for the first refresh of every cluster.
func (r *rig) build(ctx context.Context) (err error) {
	if r.postgres, err = trial.NewPostgres(ctx, r.folder); err != nil {
		return err
	}
	if r.db, err = r.postgres.Open(6); err != nil {
		return err
	}
	if r.world, err = trial.NewWorld(trial.WorldOptions{Clusters: r.clusters, VMs: r.vms, Seed: r.seed}); err != nil {
		return err
	}
	if r.skew != 0 {
		if r.updater, err = trial.BuildShifted(ctx, "ganeticache/cmd/updater", r.folder); err != nil {
			return err
		}
	}
	for i := range r.options.replicas {
		if err := r.addReplica(i + 1); err != nil {
			return err
		}
	}
	if err := r.replicas[0].ApplySchema(ctx); err != nil {
		return err
	}
	if r.audit, err = trial.NewAudit(ctx, r.db, r.score); err != nil {
		return err
	}
	r.judge = trial.NewJudge(r.db, r.world, r.score)
	r.grants = trial.NewGrants(r.db, r.score, r.seed)
	began := time.Now()
	for _, u := range r.replicas {
		if err := u.Start(); err != nil {
			return err
		}
	}
	if _, err := r.judge.Fresh(ctx, began, r.world.Clusters, time.Minute); err != nil {
		return err
	}
	return r.grants.Give(ctx, 5*r.clusters)
}

// addReplica makes a replica with a proxy of its own before PostgreSQL.
func (r *rig) addReplica(n int) error {
	name := fmt.Sprintf("replica-%d", n)
	path, err := trial.NewFront(name+"-postgres", r.postgres.Address(), 0)
	if err != nil {
		return err
	}
	r.paths = append(r.paths, path)
	config, err := trial.NewConfig(r.folder, r.postgres.URL(path.Port()), interval, r.world)
	if err != nil {
		return err
	}
	config.Lease = lease.String()
	o := trial.UpdaterOptions{Name: name, Binary: r.updater, Folder: r.folder, Config: config}
	if r.skew != 0 {
		// The clocks lie around the right time: with three replicas one is behind, one right and one ahead.
		if o.Clock, err = trial.NewClock(r.folder, name); err != nil {
			return err
		}
		if err := o.Clock.Shift(time.Duration(n-1-r.options.replicas/2) * r.skew); err != nil {
			return err
		}
	}
	u, err := trial.NewUpdater(o, r.score)
	if err != nil {
		return err
	}
	r.replicas = append(r.replicas, u)
	return nil
}

// run is the whole trial: storm and calm by turns.
func (r *rig) run(ctx context.Context) error {
	plan := r.plan()
	r.listTries()
	if err := r.build(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	for _, u := range r.replicas {
		beside.Go(func() {
			if err := u.Supervise(ctx); err != nil {
				r.score.Losef(trial.Deaths, "%s cannot be started again: %v", u.Name, err)
			}
		})
	}
	beside.Go(func() { r.world.Live(ctx, r.rate) })
	if err := r.calm(ctx); err != nil {
		return err
	}
	end := time.Now().Add(r.lasts)
	for i, storm := range plan {
		if time.Now().After(end) {
			break
		}
		if r.verbose {
			r.say("storm %d, %s", i+1, storm.Lasts())
		}
		if err := r.storm(ctx, storm); err != nil {
			return fmt.Errorf("storm %d: %w", i+1, err)
		}
		if err := r.calm(ctx); err != nil {
			return fmt.Errorf("calm after storm %d: %w", i+1, err)
		}
		if r.score.Lost() > 0 {
			r.say("storm %d lost something; the run ends here, so that the logs tell why", i+1)
			break
		}
	}
	r.score.Looked("changes that happened in the clusters", r.world.Events())
	r.say("the slowest calm took %s until every kind of every cluster was fresh", r.slowest.Round(100*time.Millisecond))
	return nil
}

// listTries has everything that can happen appear in the table, with a zero if it did not.
func (r *rig) listTries() {
	r.score.TriedTimes("storms", 0)
	for _, target := range []trial.Target{
		trial.AtReplica, trial.AtPostgres, trial.AtPostgresPath, trial.AtRAPIPath, trial.AtCluster, trial.AtOperator,
	} {
		for _, act := range trial.Acts(target) {
			r.score.TriedTimes(trial.Step{Target: target, Act: act}.Name(), 0)
		}
	}
}
