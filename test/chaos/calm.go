package main

import (
	"context"
	"time"

	"ganeticache/test/trial"
)

const (
	// recovery bounds how long everything may take to be fresh after a storm: a cluster that failed through one backs off for
	// up to 16 intervals, a replica that died holds its leases until they expire.
	recovery = time.Minute
	// balance bounds how long the leases may take to be spread evenly again.
	balance = 4 * (lease + interval)
)

// calm has the clusters stand still, waits until all is fresh, and compares everything. Then the clusters live on.
func (r *rig) calm(ctx context.Context) error {
	for _, u := range r.replicas {
		if err := u.Start(); err != nil {
			return err
		}
	}
	r.world.Freeze()
	defer r.world.Thaw()
	took, err := r.judge.Fresh(ctx, time.Now(), r.world.Clusters, recovery)
	if err != nil {
		return err
	}
	r.slowest = max(r.slowest, took)
	if err := r.judge.Verify(ctx); err != nil {
		return err
	}
	if err := r.grants.Verify(ctx); err != nil {
		return err
	}
	if err := r.spread(ctx); err != nil {
		return err
	}
	if err := r.audit.Verify(ctx); err != nil {
		return err
	}
	if r.verbose {
		r.say("  calm: fresh after %s", took.Round(100*time.Millisecond))
	}
	return nil
}

// spread waits until no living replica leads more than one cluster more than another, and all lead all clusters.
func (r *rig) spread(ctx context.Context) error {
	deadline := time.Now().Add(balance)
	for {
		spread, err := r.audit.Spread(ctx)
		if err != nil {
			return err
		}
		if trial.Even(spread, len(r.replicas), len(r.world.Clusters)) {
			r.score.Looked("times the leases were found spread evenly", 1)
			return nil
		}
		if time.Now().After(deadline) {
			r.score.Losef(trial.Uneven, "%s after the storm the leases are spread so: %v", balance, spread)
			return nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}
