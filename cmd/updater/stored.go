package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/secret"
)

// openClusters opens the database and adds the clusters that are kept there to those of the configuration. The revision is
// theirs. Without any cluster, and where none was ever kept, it says what to do and makes no database.
func (a *app) openClusters(ctx context.Context, c *config.Config) (*db.Store, *config.Config, int64, error) {
	if len(c.Clusters) == 0 {
		if err := haveSchema(ctx, c); isMissing(err) {
			return nil, nil, 0, &exitError{exitUsage, errNoClusters}
		}
	}
	store, err := a.openStore(ctx, c)
	if err != nil {
		return nil, nil, 0, err
	}
	all, revision, err := withStored(ctx, c, store)
	if err == nil && len(all.Clusters) == 0 && revision == 0 {
		err = &exitError{exitUsage, errNoClusters}
	}
	if err != nil {
		return nil, nil, 0, withCode(err, joinClose(err, store))
	}
	return store, all, revision, nil
}

// withCode keeps the exit code of the first error for what became of it.
func withCode(first, err error) error {
	if exit, ok := errors.AsType[*exitError](first); ok {
		return &exitError{exit.code, err}
	}
	return fail(err)
}

func haveSchema(ctx context.Context, c *config.Config) error {
	store, err := db.Open(ctx, c.DatabaseURL.Reveal(), db.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	return joinClose(store.CheckSchema(ctx), store)
}

// withStored returns the configuration with the clusters kept in the database behind its own, and their revision. A run
// that speaks for one cluster alone has nothing to do with them.
func withStored(ctx context.Context, c *config.Config, store *db.Store) (*config.Config, int64, error) {
	if c.Flagged() {
		return c, 0, nil
	}
	kept, revision, err := store.StoredClusters(ctx)
	if err != nil {
		return nil, 0, fail(err)
	}
	ended, err := store.OldSealsEnded(ctx)
	if err != nil {
		return nil, 0, fail(err)
	}
	all, err := adopted(c, kept, ended)
	return all, revision, err
}

// adopted is the configuration with these clusters behind its own.
func adopted(c *config.Config, kept []db.StoredCluster, oldEnded bool) (*config.Config, error) {
	all := *c
	all.Clusters = slices.Clone(c.Clusters)
	for _, k := range kept {
		if listed(c, k.Name) {
			return nil, &exitError{exitUsage, fmt.Errorf("cluster %q: %w", k.Name, db.ErrTwoSources)}
		}
		// What is wrong with a cluster shows when it is refreshed, and stops no other.
		cluster, _ := c.Adopt(fromStored(c, k, oldEnded)) //nolint:errcheck // its Settings return it
		cluster.Enabled = k.Enabled
		all.Clusters = append(all.Clusters, cluster)
	}
	return &all, nil
}

// alsoStored is withStored for a database that may not be there yet. With an error it returns c.
func alsoStored(ctx context.Context, c *config.Config) (_ *config.Config, err error) {
	schema := haveSchema(ctx, c)
	if schema != nil && !errors.Is(schema, db.ErrSchemaOld) {
		return c, nil // whoever needs the database says what is wrong with it
	}
	store, err := db.Open(ctx, c.DatabaseURL.Reveal(), db.Options{ReadOnly: true})
	if err != nil {
		return c, fail(err)
	}
	defer closeStore(store, &err)
	var all *config.Config
	if schema == nil {
		all, _, err = withStored(ctx, c, store)
	} else {
		// What will have to be done after the upgrade is said before it.
		kept, oldErr := store.OldStoredClusters(ctx)
		if oldErr != nil {
			return c, nil // so old that there were none
		}
		all, err = adopted(c, kept, false)
	}
	if err != nil {
		return c, err
	}
	return all, nil
}

// listed says whether the configuration file has a cluster of this name.
func listed(c *config.Config, name string) bool {
	return slices.ContainsFunc(c.Clusters, func(cl config.Cluster) bool { return cl.Name == name && !cl.Stored })
}

func fromStored(c *config.Config, k db.StoredCluster, oldEnded bool) config.Stored {
	s := config.Stored{
		Name: k.Name, RAPI: k.RAPIURL, Username: k.Username, PasswordFile: k.PasswordFile, Schedule: k.Schedule, TLS: tlsOf(k),
	}
	if hasSecret(k) {
		s.Password = func() (ganeti.Secret, error) { return unseal(c, k, oldEnded) }
	}
	if isOld(k) {
		s.Warning = fmt.Sprintf("cluster %s: its address and certificate are not sealed together with its password yet; run: "+
			"updater clusters reseal", k.Name)
	}
	return s
}

func tlsOf(k db.StoredCluster) config.TLS {
	return config.TLS{
		PinSHA256: k.PinSHA256, CAFile: k.CAFile, ServerName: k.ServerName, InsecureSkipVerify: k.InsecureSkipVerify,
		MinVersion: k.MinVersion,
	}
}

var errNoKey = errors.New("a password, or the name of its file, is only kept in the database sealed together with the address it is " +
	"for, and there is no key: name a key file in secret_key_file (openssl rand -hex 32)")

// sealingKey is the key of the sealed passwords.
func sealingKey(c *config.Config) (*secret.Key, error) {
	raw, err := c.SecretKey()
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, errNoKey
	}
	return secret.NewKey(raw)
}

// ownerTags gives the tags that grant permissions.
func ownerTags(c *config.Config) ([]db.OwnerTag, error) {
	if c.OwnerTags.Pattern == "" {
		return nil, nil
	}
	re, err := regexp.Compile(c.OwnerTags.Pattern)
	if err != nil {
		return nil, fmt.Errorf("owner_tags.pattern: %w", err)
	}
	return []db.OwnerTag{{Pattern: re, Permission: c.OwnerTags.Permission}}, nil
}
