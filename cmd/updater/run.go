package main

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"ganeticache/api"
	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/updater"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Keep all clusters fresh until told to stop (the default)",
		Long: `run refreshes each cluster on its schedule until SIGTERM or SIGINT. Refreshes that are running then have 8 seconds to
finish, and nothing is left half applied. SIGHUP reads the configuration again: clusters are added, changed and
dropped without a restart. Changes of the clusters kept in the database (updater clusters) take effect within seconds.
The log goes to standard error, with one line for each refresh.`,
		Example: `  updater run --config /etc/ganeti-cache-updater/config.yaml
  systemctl reload ganeti-cache-updater    # after a change of the configuration`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
	}
}

// run is the daemon.
func (a *app) run(ctx context.Context) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	log, err := a.logger(c.Log, a.stderr)
	if err != nil {
		return err
	}
	o, err := a.openWritable(ctx, c)
	if err != nil {
		if o, err = a.awaitPrimary(ctx, c, log, err); err != nil || o.store == nil {
			return err
		}
	}
	fromFile, c, store := o.file, o.all, o.store
	defer closeStore(store, &err)
	release, err := claim(ctx, store)
	if err != nil {
		return err
	}
	defer release()
	a.warn(c)
	opts, err := updaterOptions(c, store)
	if err != nil {
		return err
	}
	registry := newRegistry(store)
	opts.Logger, opts.Registerer = log, registry
	manager, err := newNotifier(store, log)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	opts.OnBeat, opts.Beat = manager.beat, manager.interval
	u, err := updater.New(ctx, opts)
	if err != nil {
		return fail(err)
	}
	log.Info("started", zap.String("version", version), zap.Int("clusters", len(opts.Clusters)),
		zap.String("database", config.RedactURL(c.DatabaseURL)), zap.String("listen", c.Listen))
	defer func() { log.Info("stopped", zap.Error(err)) }()
	r := &reloader{app: a, store: store, updater: u, log: log, config: fromFile, revision: o.revision, manager: manager}
	return a.serve(ctx, c, r, &front{store: store, updater: u, metrics: registry, log: log})
}

// newRegistry has the metrics of the process and of its database.
func newRegistry(store *db.Store) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	registry.MustRegister(poolStats(store)...)
	return registry
}

// poolStats shows the connections to the database: SQLite has pools of its own for reading and for writing, PostgreSQL one.
func poolStats(store *db.Store) []prometheus.Collector {
	stats := []prometheus.Collector{collectors.NewDBStatsCollector(store.Writer().DB, "writer")}
	if store.DB() != store.Writer() {
		stats = append(stats, collectors.NewDBStatsCollector(store.DB().DB, "reader"))
	}
	return stats
}

var errNoClusters = errors.New("no cluster is configured: list some in the configuration file (--config), " +
	"describe one with --rapi, or keep some in the database (updater clusters add); `updater demo` needs none")

// serve runs the engine, the listener and the reload side by side until ctx ends or one of them fails.
func (a *app) serve(ctx context.Context, c *config.Config, r *reloader, f *front) error {
	group, ctx := errgroup.WithContext(ctx)
	if c.Listen != "" {
		server, err := f.listen(ctx, c)
		if err != nil {
			return err
		}
		group.Go(func() error { return server.Serve(ctx) })
	}
	group.Go(func() error { return f.updater.Run(ctx) })
	group.Go(func() error { r.run(ctx); return nil })
	group.Go(func() error { r.manager.run(ctx); return nil })
	if err := group.Wait(); err != nil {
		return fail(err)
	}
	return nil
}

// front is what is shown of a daemon: metrics, health and the read API.
type front struct {
	store   *db.Store
	updater *updater.Updater
	metrics *prometheus.Registry
	log     *zap.Logger
	// frozen is why nothing is refreshed; nil when something is.
	frozen error
}

// listen opens the address.
func (f *front) listen(ctx context.Context, c *config.Config) (*api.Server, error) {
	secret, err := credentialsKey(c)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	ready := &readiness{
		store: f.store, alive: f.alive, pace: f.updater.StretchedPace, now: f.updater.Now, maxAge: c.API.ReadyMaxAge, begun: time.Now(),
	}
	o := api.Options{
		Address: c.Listen, Gatherer: f.metrics, Ready: ready.check, Warnings: f.warnings, TokensFile: c.API.TokensFile, Rate: c.API.Rate,
		RefreshRate: c.API.RefreshRate, Hosts: c.API.Hosts, Registerer: f.metrics,
		Secret: secret, Version: version, Logger: f.log,
	}
	if c.API.Enabled {
		o.Cache = apiCache{f.store, updater.NewReader(updater.ReaderOptions{
			Store: f.store, Updater: f.updater, MaxAge: c.MaxAge, Frozen: f.frozen,
		})}
	}
	server, err := api.Listen(ctx, o)
	if err != nil {
		return nil, fail(err)
	}
	f.log.Info("listening", zap.String("address", server.Address()), zap.Bool("api", c.API.Enabled))
	return server, nil
}

// alive says why nothing is scheduled that should be.
func (f *front) alive() error {
	if f.frozen == nil {
		return f.updater.Alive()
	}
	return nil // the warning says it: whoever reads what is cached is served
}

func (f *front) warnings() []string {
	warnings := f.updater.ClockTroubles()
	if f.frozen != nil {
		warnings = append(warnings, "no reachable database server accepts writes: the cache is served, and nothing is refreshed")
	}
	return warnings
}
