package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

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
		Long: `run refreshes each cluster on its schedule until SIGTERM or SIGINT; what runs then has 8 seconds to finish, and
nothing is left half applied. SIGHUP reads the configuration again: clusters are added, changed and dropped without a
restart. The log goes to standard error: one line for each refresh.`,
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
	a.warn(c)
	if len(c.Clusters) == 0 {
		return &exitError{exitUsage, errNoClusters}
	}
	log, err := a.logger(c.Log, a.stderr)
	if err != nil {
		return err
	}
	store, err := a.openStore(ctx, c)
	if err != nil {
		return err
	}
	defer closeStore(store, &err)
	opts, err := updaterOptions(c, store)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	opts.Logger, opts.Registerer = log, registry
	u, err := updater.New(ctx, opts)
	if err != nil {
		return fail(err)
	}
	log.Info("started", zap.String("version", version), zap.Int("clusters", len(opts.Clusters)),
		zap.String("database", config.RedactURL(c.DatabaseURL)), zap.String("listen", c.Listen))
	defer func() { log.Info("stopped", zap.Error(err)) }()
	return a.serve(ctx, c, store, u, registry, log)
}

var errNoClusters = errors.New("no cluster is configured: list some in the configuration file (--config), " +
	"or describe one with --rapi; `updater demo` needs none")

// serve runs the engine, the listener and the reload on SIGHUP side by side until ctx ends or one of them fails.
func (a *app) serve(ctx context.Context, c *config.Config, store *db.Store, u *updater.Updater, g prometheus.Gatherer, log *zap.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	if c.Listen != "" {
		server, err := api.Listen(ctx, api.Options{Address: c.Listen, Gatherer: g, Ready: store.Ping})
		if err != nil {
			return fail(err)
		}
		group.Go(func() error { return server.Serve(ctx) })
	}
	group.Go(func() error { return u.Run(ctx) })
	group.Go(func() error { a.reloadOnHangup(ctx, u, log); return nil })
	if err := group.Wait(); err != nil {
		return fail(err)
	}
	return nil
}

// reloadOnHangup takes a changed configuration over. A bad one changes nothing and is said in the log.
func (a *app) reloadOnHangup(ctx context.Context, u *updater.Updater, log *zap.Logger) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		}
		if n, err := a.reload(ctx, u); err != nil {
			log.Error("reloading the configuration failed; the old one stays in force", zap.Error(err))
		} else {
			log.Info("reloaded the configuration", zap.Int("clusters", n))
		}
	}
}

func (a *app) reload(ctx context.Context, u *updater.Updater) (int, error) {
	c, err := a.config()
	if err != nil {
		return 0, err
	}
	if len(c.Clusters) == 0 {
		return 0, errNoClusters
	}
	cs, err := clusters(c)
	if err != nil {
		return 0, err
	}
	return len(cs), u.Reload(ctx, cs)
}
