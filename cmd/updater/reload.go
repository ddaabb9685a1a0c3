package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/updater"
)

// clustersPoll is how often a running updater looks whether the clusters kept in the database were edited: one number.
const clustersPoll = 2 * time.Second

// reloader hands a changed set of clusters to the engine. One goroutine does it for all reasons, so that an older set never
// replaces a newer one.
type reloader struct {
	app     *app
	store   *db.Store
	updater *updater.Updater
	log     *zap.Logger
	// config is the configuration in force, without the clusters kept in the database; revision is that of these.
	config   *config.Config
	revision int64
	// manager is told when a reload begins and ends.
	manager *notifier
	// refused is the revision that could not be taken over, so that the log says it once.
	refused int64
}

// run takes over what changes until ctx ends. What is wrong changes nothing and is said in the log.
func (r *reloader) run(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	poll := time.NewTicker(clustersPoll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			r.manager.reloading()
			r.reread(ctx)
			r.manager.reloaded(ctx)
		case <-poll.C:
			r.poll(ctx)
		}
	}
}

// reread takes a changed configuration file over.
func (r *reloader) reread(ctx context.Context) {
	c, err := r.app.config()
	n := 0
	if err == nil {
		n, err = r.take(ctx, c)
	}
	if err != nil {
		r.log.Error("reloading the configuration failed; the old one stays in force", zap.Error(err))
		return
	}
	r.log.Info("reloaded the configuration", zap.Int("clusters", n))
}

// poll takes changed clusters of the database over. A database that is away says so elsewhere.
func (r *reloader) poll(ctx context.Context) {
	if r.config.Flagged() {
		return
	}
	revision, err := r.store.ClustersRevision(ctx)
	if err != nil || revision == r.revision {
		return
	}
	n, err := r.take(ctx, r.config)
	switch {
	case err == nil:
		r.log.Info("took over the clusters kept in the database", zap.Int("clusters", n))
	case revision != r.refused && ctx.Err() == nil:
		r.refused = revision
		r.log.Error("the clusters kept in the database changed, but cannot be used; the old ones stay in force", zap.Error(err))
	}
}

// take makes the clusters of c and of the database those that are refreshed, and returns their number.
func (r *reloader) take(ctx context.Context, c *config.Config) (int, error) {
	all, revision, err := withStored(ctx, c, r.store)
	if err != nil {
		return 0, err
	}
	if len(all.Clusters) == 0 && revision == 0 {
		return 0, errNoClusters
	}
	cs, err := clusters(all)
	if err != nil {
		return 0, err
	}
	if err := r.updater.Reload(ctx, cs); err != nil {
		return 0, err
	}
	r.config, r.revision = c, revision
	return len(cs), nil
}
