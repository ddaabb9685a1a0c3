package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jmoiron/sqlx"
	"go.yaml.in/yaml/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"ganeticache/bench/measure"
)

// updaterSystem is the shipped binary, in one process that refreshes for each line.
type updaterSystem struct {
	child
	store store
}

// store is the database of an updater.
type store interface {
	// address is the database_url.
	address() (string, error)
	// reset leaves it empty, with or without its tables.
	reset(ctx context.Context) error
	// open opens it, to look into it. Close it.
	open() (*sqlx.DB, error)
	// vms selects the live VMs.
	vms() string
}

// newUpdater writes the configuration: all kinds, jobs too, and otherwise what the updater does by itself.
func newUpdater(folder, binary, name string, w *world, s store) (*updaterSystem, error) {
	address, err := s.address()
	if err != nil {
		return nil, err
	}
	secret := func(file, text string) (string, error) {
		file = filepath.Join(folder, file)
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("writing %s: %w", file, err)
		}
		return file, nil
	}
	passwordFile, err1 := secret("password", password)
	keyFile, err2 := secret("secret.key", "bench-secret-key-0123456789abcdef0123456789")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	clusters := make([]map[string]any, 0, len(w.site.Clusters))
	for _, c := range w.site.Clusters {
		clusters = append(clusters, map[string]any{
			"name": c.Name, "rapi": "https://" + c.Address, "username": username, "password_file": passwordFile,
			"tls": map[string]string{"pin_sha256": w.site.Pin},
		})
	}
	config := map[string]any{
		"database_url": address, "concurrency": concurrency, "schedules": map[string]string{"job": "@every 1m"},
		"secret_key_file": keyFile, "clusters": clusters,
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encoding the configuration: %w", err)
	}
	file := filepath.Join(folder, name+".yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, fmt.Errorf("writing %s: %w", file, err)
	}
	return &updaterSystem{store: s, child: child{options: measure.Options{
		Name: name, Log: filepath.Join(folder, name+".log"),
		Command: []string{binary, "--once", "--each-line", "--json", "--config", file},
	}}}, nil
}

func (u *updaterSystem) reset(ctx context.Context) error {
	return errors.Join(u.close(), u.store.reset(ctx))
}

// round fails when a cluster does: a benchmark of a refresh that did not happen is none.
func (u *updaterSystem) round(context.Context) (cost, error) {
	c, answer, err := u.once()
	if err != nil {
		return c, err
	}
	var results []struct {
		Cluster string
		OK      bool
		Error   string
		Kinds   []struct {
			RowsWritten int64 `json:"rows_written"`
		}
	}
	if err := json.Unmarshal(answer, &results); err != nil {
		return c, fmt.Errorf("reading what the updater printed: %w", err)
	}
	c.rows = 0
	for _, r := range results {
		if !r.OK {
			return c, fmt.Errorf("refreshing %s: %s (log: %s)", r.Cluster, r.Error, u.options.Log)
		}
		for _, k := range r.Kinds {
			c.rows += k.RowsWritten
		}
	}
	return c, nil
}

func (u *updaterSystem) facts(ctx context.Context) (f facts, known bool, err error) {
	conn, err := u.store.open()
	if err != nil {
		return f, true, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	f, err = readFacts(ctx, conn, u.store.vms(), updaterTables())
	return f, true, err
}
