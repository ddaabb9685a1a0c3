package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"ganeticache/test/trial"
)

// storm does the steps, each at its time, while the judge samples and an operator grants and revokes. It returns when all
// has been mended; an error is one of the trial itself.
func (r *rig) storm(ctx context.Context, s trial.Storm) error {
	r.score.Tried("storms")
	during, over := context.WithCancel(ctx)
	var beside, steps sync.WaitGroup
	for range samplers {
		beside.Go(func() { r.sample(during) })
	}
	beside.Go(func() { r.grant(during) })
	var mu sync.Mutex
	var errs []error
	for _, step := range s.Steps {
		steps.Go(func() {
			if err := r.step(ctx, step); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("%s: %w", step, err))
			}
		})
	}
	steps.Wait()
	over()
	beside.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// step waits for its time, strikes, lasts, and mends.
func (r *rig) step(ctx context.Context, s trial.Step) error {
	if err := pause(ctx, s.After); err != nil {
		return nil //nolint:nilerr // the run was interrupted
	}
	if r.verbose {
		r.say("  %s", s)
	}
	r.score.Tried(s.Name())
	mend, err := r.strike(ctx, s)
	if err != nil {
		return err
	}
	interrupted := pause(ctx, s.For)
	if err := mend(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return interrupted
}

// mender undoes a step.
type mender func(context.Context) error

func (r *rig) strike(ctx context.Context, s trial.Step) (mender, error) {
	switch s.Target {
	case trial.AtReplica:
		u := r.replicas[s.Index]
		if s.Act == "pause" {
			return func(context.Context) error { return u.Wake() }, u.Pause()
		}
		return func(context.Context) error { return u.Start() }, u.Kill()
	case trial.AtPostgres:
		return r.strikePostgres(s.Act)
	case trial.AtPostgresPath:
		f := r.paths[s.Index]
		return func(context.Context) error { return f.Heal() }, f.Hurt(trial.Harm(s.Act))
	case trial.AtRAPIPath:
		f := r.world.Clusters[s.Index].Front
		return func(context.Context) error { return f.Heal() }, f.Hurt(trial.Harm(s.Act))
	case trial.AtCluster:
		mend, err := r.world.Clusters[s.Index].Misbehave(ctx, s.Act, s.Detail)
		return func(context.Context) error { return mend() }, err
	case trial.AtOperator:
		return func(context.Context) error { return nil }, r.replicas[s.Index].Once(ctx)
	}
	return nil, fmt.Errorf("there is no target %q", s.Target)
}

func (r *rig) strikePostgres(act string) (mender, error) {
	mode, ok := map[string]trial.StopMode{
		"restart fast": trial.Fast, "restart immediate": trial.Immediate, "restart kill -9": trial.Killed, "away": trial.Fast,
	}[act]
	if !ok {
		return nil, fmt.Errorf("there is no act %q", act)
	}
	return r.postgres.Start, r.postgres.Stop(mode)
}

// samplers is how many sample at a time.
const samplers = 2

// sample holds the database against the history until ctx ends. While the database is away there is nothing to hold.
func (r *rig) sample(ctx context.Context) {
	for pause(ctx, 20*time.Millisecond+rand.N(100*time.Millisecond)) == nil {
		c := r.world.Clusters[rand.IntN(len(r.world.Clusters))]
		if err := r.judge.Sample(ctx, c); err != nil && ctx.Err() == nil {
			r.score.Looked("samples not to be had: no database", 1)
		}
	}
}

// grant gives and takes permissions until ctx ends.
func (r *rig) grant(ctx context.Context) {
	for pause(ctx, rand.N(time.Second)) == nil {
		work := r.grants.Take
		if rand.IntN(3) > 0 {
			work = func(ctx context.Context) error { return r.grants.Give(ctx, 1) }
		}
		if err := work(ctx); err != nil && ctx.Err() == nil {
			r.score.Looked("grants not to be given or taken: no database", 1)
		}
	}
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
