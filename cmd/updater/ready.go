package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ganeticache/api"
	"ganeticache/db"
	"ganeticache/updater"
)

// readiness says whether this process can do its work, for /readyz.
type readiness struct {
	store *db.Store
	// alive says why the scheduler does not schedule; nil when it does.
	alive func() error
	// pace says whose interval the budget stretches; see [updater.Updater.StretchedPace].
	pace func(cluster string, fresh map[db.Kind]db.Freshness) (updater.Pace, bool)
	// now is the time by which ages are told; time.Now when nil.
	now func() time.Time
	// maxAge is how old the VMs of an enabled cluster may be; any age is good when zero.
	maxAge time.Duration
	// begun is when the process began: what was old before it came is not held against it at once.
	begun time.Time
}

// check asks for everything; the first trouble is the answer.
func (r *readiness) check(ctx context.Context) error {
	if err := r.alive(); err != nil {
		return err
	}
	if err := r.store.CheckSchema(ctx); err != nil {
		return err
	}
	fresh, err := r.store.KindFreshness(ctx, db.KindVM, nil)
	if err != nil {
		return err
	}
	now := time.Now()
	if r.now != nil {
		now = r.now()
	}
	for _, f := range fresh {
		age := time.Duration(0)
		if f.RefreshedAt != nil {
			age = now.Sub(*f.RefreshedAt)
		}
		switch {
		case !f.Enabled:
		case -age > clockSlack:
			return notReady("the VMs of %s are as of %s in the future: a clock was or is wrong", f.Cluster, (-age).Round(time.Second))
		case r.maxAge == 0:
		case f.RefreshedAt == nil && time.Since(r.begun) > r.maxAge:
			return notReady("%s was never refreshed", f.Cluster)
		case age > r.maxAge:
			stretch, err := r.stretch(ctx, f)
			if err != nil {
				return err
			}
			if age > r.maxAge+stretch {
				return notReady("the VMs of %s are %s old, more than the %s of api.ready_max_age", f.Cluster, age.Round(time.Second), r.maxAge)
			}
		}
	}
	return nil
}

// notReady is a reason in which a cluster is named first.
func notReady(format, cluster string, more ...any) error {
	text := func(who string) string { return fmt.Sprintf(format, append([]any{who}, more...)...) }
	return &api.NotReadyError{Public: text("a cluster"), Err: errors.New(text("cluster " + cluster))}
}

// stretch gives by how much the budget lengthens the interval of a cluster: so much older its VMs may be.
func (r *readiness) stretch(ctx context.Context, f db.ClusterFreshness) (time.Duration, error) {
	fresh, err := r.store.Freshness(ctx, f.ClusterID)
	if err != nil {
		return 0, err
	}
	if p, ok := r.pace(f.Cluster, fresh); ok {
		return p.Interval - p.Schedule, nil
	}
	return 0, nil
}
