package main

import (
	"context"
	"fmt"
	"time"

	"ganeticache/db"
)

// readiness says whether this process can do its work, for /readyz.
type readiness struct {
	store *db.Store
	// alive says why the scheduler does not schedule; nil when it does.
	alive func() error
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
	if r.maxAge == 0 {
		return nil
	}
	fresh, err := r.store.KindFreshness(ctx, db.KindVM, nil)
	if err != nil {
		return err
	}
	for _, f := range fresh {
		switch {
		case !f.Enabled:
		case f.RefreshedAt == nil && time.Since(r.begun) > r.maxAge:
			return fmt.Errorf("cluster %s was never refreshed", f.Cluster)
		case f.RefreshedAt != nil && time.Since(*f.RefreshedAt) > r.maxAge:
			return fmt.Errorf("the VMs of cluster %s are %s old, more than the %s of api.ready_max_age",
				f.Cluster, time.Since(*f.RefreshedAt).Round(time.Second), r.maxAge)
		}
	}
	return nil
}
