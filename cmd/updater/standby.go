package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/updater"
)

// primaryPoll is how often a daemon that serves from a standby looks for a server that takes writes.
const primaryPoll = 2 * time.Second

// opened is a database that takes writes, and what is to be refreshed into it.
type opened struct {
	store *db.Store
	// file is the configuration as it was read, all has the clusters kept in the database as well, which revision is of.
	file, all *config.Config
	revision  int64
}

// openWritable opens the database for a daemon.
func (a *app) openWritable(ctx context.Context, c *config.Config) (opened, error) {
	store, all, revision, err := a.openClusters(ctx, c)
	if err != nil {
		return opened{}, err
	}
	if err := store.CheckWrites(ctx); err != nil {
		return opened{}, withCode(err, joinClose(err, store))
	}
	return opened{store, c, all, revision}, nil
}

// mayPass says whether an error of openWritable is one of servers that take no writes for now.
func mayPass(err error) bool {
	kind := db.TroubleOf(err)
	return kind == db.TroubleReadOnly || kind == db.TroubleUnavailable
}

// awaitPrimary is for a start without a server that takes writes: it serves readers from a standby until there is one. It
// returns the error of the start where nobody can be served so, and nothing at all when ctx ends.
func (a *app) awaitPrimary(ctx context.Context, c *config.Config, log *zap.Logger, start error) (o opened, err error) {
	if c.Listen == "" || !c.API.Enabled || !mayPass(start) {
		return opened{}, start
	}
	store, err := db.Open(ctx, c.DatabaseURL.Reveal(), db.Options{ReadOnly: true, MaxConns: 2 * apiConns})
	if err != nil {
		return opened{}, start
	}
	defer closeStore(store, &err)
	if store.Dialect() != "postgres" || store.CheckSchema(ctx) != nil {
		return opened{}, start
	}
	f, err := a.frozenFront(ctx, c, store, log, start)
	if err != nil {
		return opened{}, err
	}
	manager, err := newNotifier(store, log)
	if err != nil {
		return opened{}, &exitError{exitUsage, err}
	}
	group, phase := errgroup.WithContext(ctx)
	phase, end := context.WithCancel(phase)
	defer end()
	server, err := f.listen(phase, c)
	if err != nil {
		return opened{}, err
	}
	log.Warn("no reachable database server accepts writes: serving the cache, refreshing nothing until one does", zap.Error(start))
	group.Go(func() error { return server.Serve(phase) })
	group.Go(func() error {
		manager.idle(phase, "serving from a standby; no database server accepts writes")
		return nil
	})
	group.Go(func() (err error) {
		defer end()
		o, err = a.findPrimary(phase, c, manager, log)
		return err
	})
	err = group.Wait()
	return o, err
}

// frozenFront shows what a standby has. Its updater never runs.
func (a *app) frozenFront(ctx context.Context, c *config.Config, store *db.Store, log *zap.Logger, why error) (*front, error) {
	opts, err := updaterOptions(c, store)
	if err != nil {
		return nil, err
	}
	registry := newRegistry(store)
	opts.Logger, opts.Registerer, opts.DryRun = log, registry, true
	u, err := updater.New(ctx, opts)
	if err != nil {
		return nil, fail(err)
	}
	return &front{store: store, updater: u, metrics: registry, log: log, frozen: why}, nil
}

// findPrimary opens the database as soon as a server takes writes, with the configuration as it is then. It returns nothing
// when ctx ends, and an error that does not pass.
func (a *app) findPrimary(ctx context.Context, c *config.Config, manager *notifier, log *zap.Logger) (opened, error) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	poll := time.NewTicker(primaryPoll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return opened{}, nil
		case <-hangup:
			manager.reloading()
			if changed, err := a.config(); err != nil {
				log.Error("reloading the configuration failed; the old one stays in force", zap.Error(err))
			} else {
				c = changed
			}
			manager.reloaded(ctx)
		case <-poll.C:
			o, err := a.openWritable(ctx, c)
			if err == nil {
				log.Info("a database server accepts writes")
			}
			if err == nil || !mayPass(err) {
				return o, err
			}
		}
	}
}
