package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"ganeticache/ganeti/rapisim"
	"ganeticache/test/trial"
)

// interval is the daemon's schedule for every kind.
const interval = 10 * time.Second

// rig is everything a soak consists of.
type rig struct {
	options

	folder string
	score  *trial.Score
	out    io.Writer

	postgres *trial.Postgres
	world    *trial.World
	daemon   *trial.Updater
	db       *sqlx.DB
	judge    *trial.Judge

	samples []sample
	// before and after are taken around the time without PostgreSQL; back is how long all was fresh again after it.
	before, after sample
	back          time.Duration
	failed        []string
}

func (r *rig) close() error {
	var errs []error
	if r.daemon != nil {
		errs = append(errs, r.daemon.Terminate())
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

// build starts everything. The first cluster hangs from the beginning, the second sends a list without end.
func (r *rig) build(ctx context.Context) (err error) {
	if r.postgres, err = trial.NewPostgres(ctx, r.folder); err != nil {
		return err
	}
	if r.db, err = r.postgres.Open(4); err != nil {
		return err
	}
	if r.world, err = trial.NewWorld(trial.WorldOptions{Clusters: r.clusters, VMs: r.vms, Seed: 1, Bare: true}); err != nil {
		return err
	}
	r.world.Clusters[0].Server.Hurt(rapisim.Hang())
	r.score.Tried("cluster that hangs from beginning to end")
	r.world.Clusters[1].Server.Hurt(rapisim.Endless().On("/2/instances"))
	r.score.Tried("cluster whose list never ends, likewise")
	config, err := trial.NewConfig(r.folder, r.postgres.URL(0), interval, r.world)
	if err != nil {
		return err
	}
	r.daemon, err = trial.NewUpdater(trial.UpdaterOptions{Name: "daemon", Binary: r.updater, Folder: r.folder, Config: config}, r.score)
	if err != nil {
		return err
	}
	if err := r.daemon.ApplySchema(ctx); err != nil {
		return err
	}
	r.judge = trial.NewJudge(r.db, r.world, r.score)
	return r.daemon.Start()
}

// healthy are the clusters that can be fresh.
func (r *rig) healthy() []*trial.Cluster { return r.world.Clusters[2:] }

func (r *rig) run(ctx context.Context) error {
	began := time.Now()
	if err := r.build(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	beside.Go(func() {
		if err := r.daemon.Supervise(ctx); err != nil {
			r.score.Losef(trial.Deaths, "the daemon cannot be started again: %v", err)
		}
	})
	beside.Go(func() { r.world.Live(ctx, r.rate) })
	if _, err := r.judge.Fresh(ctx, began, r.healthy(), 2*time.Minute); err != nil {
		return err
	}
	middle := began.Add((r.lasts - r.away) / 2)
	if err := r.watch(ctx, began.Add(r.warmUp()), middle); err != nil {
		return err
	}
	if err := r.withoutPostgres(ctx); err != nil {
		return err
	}
	if err := r.watch(ctx, time.Now(), began.Add(r.lasts)); err != nil {
		return err
	}
	return r.verify(ctx)
}

// warmUp is left out of the comparison: two minutes, or less of a short soak.
func (r *rig) warmUp() time.Duration { return min(2*time.Minute, r.lasts/5) }

// watch samples the daemon from one time to another.
func (r *rig) watch(ctx context.Context, from, to time.Time) error {
	if err := pause(ctx, time.Until(from)); err != nil {
		return err
	}
	for time.Now().Before(to) {
		s, err := r.sample(ctx)
		if err != nil {
			return err
		}
		r.samples = append(r.samples, s)
		if err := pause(ctx, min(sampleEvery, time.Until(to))); err != nil {
			return err
		}
	}
	return nil
}

// withoutPostgres takes the database away, and measures how soon after its return all is fresh.
func (r *rig) withoutPostgres(ctx context.Context) (err error) {
	if r.before, err = r.sample(ctx); err != nil {
		return err
	}
	if err := r.postgres.Stop(trial.Fast); err != nil {
		return err
	}
	r.score.Tried("PostgreSQL away for " + r.away.String())
	interrupted := pause(ctx, r.away)
	if err := r.postgres.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if interrupted != nil {
		return interrupted
	}
	if r.back, err = r.judge.Fresh(ctx, time.Now(), r.healthy(), 3*interval); err != nil {
		return err
	}
	if limit := interval + slack; r.back > limit {
		r.failf("after PostgreSQL's return it took %s until every healthy cluster was fresh, %s allowed", r.back, limit)
	}
	if err := pause(ctx, 2*interval); err != nil { // what the storm of failures left behind has ended
		return err
	}
	r.after, err = r.sample(ctx)
	return err
}

// slack is what a refresh of all clusters takes beyond its interval on a machine that is busy with the clusters too.
const slack = 5 * time.Second

// verify compares the healthy clusters' rows with the clusters, once they stand still.
func (r *rig) verify(ctx context.Context) error {
	r.world.Freeze()
	if _, err := r.judge.Fresh(ctx, time.Now(), r.healthy(), 3*interval); err != nil {
		return err
	}
	sick := r.world.Clusters[:2]
	r.world.Clusters = r.healthy()
	err := r.judge.Verify(ctx)
	r.world.Clusters = append(sick[:2:2], r.world.Clusters...)
	return err
}

func (r *rig) failf(format string, args ...any) {
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
