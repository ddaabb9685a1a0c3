package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/robfig/cron/v3"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/updater"
)

// This file alone knows every package; it puts the parts together.

// apiConns is how many connections there are for readers, beside one for each refresh at a time.
const apiConns = 4

// openStore opens the database and brings its schema up to date.
func (a *app) openStore(ctx context.Context, c *config.Config) (*db.Store, error) {
	owners, err := ownerTags(c)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	redact, err := redactor(c)
	if err != nil {
		return nil, err
	}
	store, err := db.Open(ctx, c.DatabaseURL.Reveal(), db.Options{
		MaxConns: updater.Connections(c.Concurrency) + apiConns + 2, OwnerTags: owners, Remake: updater.NewRemaker(redact),
	})
	if err != nil {
		return nil, fail(err)
	}
	if err := store.CheckEncoding(ctx); err != nil {
		return nil, fail(errors.Join(err, store.Close()))
	}
	err = store.CheckSchema(ctx)
	if errors.Is(err, db.ErrSchemaMissing) || errors.Is(err, db.ErrSchemaOld) {
		if err = store.Migrate(ctx); err != nil {
			err = fmt.Errorf("%w; if this database user may not change the schema, run as its owner: "+
				"updater schema apply --database 'postgres://OWNER@HOST/DATABASE?sslmode=verify-full'", err)
		}
	}
	if err != nil {
		return nil, fail(errors.Join(err, store.Close()))
	}
	return store, nil
}

// claim takes the right to refresh into the database before anything is written to it.
func claim(ctx context.Context, store *db.Store) (release func(), err error) {
	give, err := store.Claim(ctx)
	if err != nil {
		return nil, fail(err)
	}
	// The process ends, and its locks with it.
	return func() { _ = give() }, nil //nolint:errcheck // see above
}

// closeStore closes the database at the end of a command, and adds its complaint to the command's own.
func closeStore(store *db.Store, err *error) {
	if closeErr := store.Close(); closeErr != nil {
		*err = errors.Join(*err, fail(closeErr))
	}
}

// updaterOptions gives the options that follow from the configuration.
func updaterOptions(c *config.Config, store *db.Store) (updater.Options, error) {
	key, err := credentialsKey(c)
	if err != nil {
		return updater.Options{}, &exitError{exitUsage, err}
	}
	pool := ganeti.NewPool(key)
	clusters, err := clusters(c)
	if err != nil {
		return updater.Options{}, &exitError{exitUsage, err}
	}
	redact, err := redactor(c)
	if err != nil {
		return updater.Options{}, err
	}
	return updater.Options{
		Store:    store,
		Backfill: store.Backfill,
		Redact:   redact,
		Connect: func(s ganeti.Settings) (updater.Source, error) {
			return pool.Get(s)
		},
		Hash:        pool.Hash,
		Retain:      pool.Retain,
		Clusters:    clusters,
		KeepOthers:  c.Flagged(),
		Concurrency: c.Concurrency,
		Guard: updater.Guard{
			MaxObjects: c.Guard.MaxObjects, MaxPercent: c.Guard.MaxPercent, Snapshots: c.Guard.Snapshots,
		},
		Retention:        c.Retention,
		RetentionChanges: c.RetentionChanges,
		Lease:            c.Lease,
	}, nil
}

// redactor knows the names of secret values.
func redactor(c *config.Config) (*ganeti.Redactor, error) {
	redact, err := ganeti.NewRedactor(c.Redact...)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("redact: %w", err)}
	}
	return redact, nil
}

// clusters turns the configured clusters into what the engine refreshes. A disabled one is left out: it freezes.
func clusters(c *config.Config) ([]updater.Cluster, error) {
	var out []updater.Cluster
	for _, cc := range c.Clusters {
		if !cc.Enabled {
			continue
		}
		schedules := map[db.Kind]cron.Schedule{}
		for k, expr := range map[db.Kind]string{
			db.KindVM: cc.Schedules.VM, db.KindNode: cc.Schedules.Node, db.KindGroup: cc.Schedules.Group,
			db.KindNetwork: cc.Schedules.Network, db.KindJob: cc.Schedules.Job,
		} {
			if expr == "" {
				continue
			}
			s, err := config.ParseSchedule(expr)
			if err != nil {
				return nil, fmt.Errorf("cluster %s: schedule of %ss: %w", cc.Name, k, err)
			}
			schedules[k] = s
		}
		out = append(out, updater.Cluster{
			Name: cc.Name, Settings: cc.Settings, Schedules: schedules, Budget: cc.RefreshBudget, Stored: cc.Stored,
			AllowDuplicate: cc.AllowDuplicate,
		})
	}
	return out, nil
}

// credentialsKey is the key of the credentials' hashes: the configured one, else one that belongs to this machine and is
// not in the database, so that a copy of the database lets nobody guess a password. Without either, the hashes are good
// for this process only.
func credentialsKey(c *config.Config) ([]byte, error) {
	key, err := c.SecretKey()
	if err != nil || key != nil {
		return key, err
	}
	// machine-id(5): applications shall use a keyed hash of it, never the id itself.
	if id, err := os.ReadFile("/etc/machine-id"); err == nil && strings.TrimSpace(string(id)) != "" {
		mac := hmac.New(sha256.New, id)
		mac.Write([]byte("ganeti-cache-updater credentials hash"))
		return mac.Sum(nil), nil
	}
	key = make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("making a key for the credentials' hashes: %w", err)
	}
	return key, nil
}
