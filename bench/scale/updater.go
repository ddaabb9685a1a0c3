package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"ganeticache/bench/measure"
)

// startUpdater starts the shipped binary: all kinds, jobs too, and otherwise what it does by itself.
func (g *rig) startUpdater(ctx context.Context) (*measure.Process, error) {
	config, err := g.configure()
	if err != nil {
		return nil, err
	}
	return measure.Start(ctx, measure.Options{
		Name: "updater", Log: filepath.Join(g.folder, "updater.log"),
		Command: []string{g.updater, "--once", "--each-line", "--json", "--config", config},
	})
}

func (g *rig) configure() (file string, _ error) {
	secret := func(name, text string) (string, error) {
		name = filepath.Join(g.folder, name)
		if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("writing a secret: %w", err)
		}
		return name, nil
	}
	passwordFile, err1 := secret("password", password)
	keyFile, err2 := secret("secret.key", "scale-secret-key-0123456789abcdef0123456789")
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	clusters := make([]map[string]any, 0, len(g.site.Clusters))
	for _, c := range g.site.Clusters {
		clusters = append(clusters, map[string]any{
			"name": c.Name, "rapi": "https://" + c.Address, "username": username, "password_file": passwordFile,
			"tls": map[string]string{"pin_sha256": g.site.Pin},
		})
	}
	text, err := yaml.Marshal(map[string]any{
		"database_url": g.database.url(), "concurrency": concurrency, "schedules": map[string]string{"job": "@every 1m"},
		"secret_key_file": keyFile, "clusters": clusters,
	})
	if err != nil {
		return "", fmt.Errorf("encoding the configuration: %w", err)
	}
	file = filepath.Join(g.folder, "config.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	return file, nil
}

// cycle refreshes all clusters once. It fails when one of them does: a refresh that did not happen has no cost.
func (g *rig) cycle(ctx context.Context, updater *measure.Process) (cost, error) {
	before, err := g.database.walPosition(ctx)
	if err != nil {
		return cost{}, err
	}
	round, err := updater.Round("go")
	if err != nil {
		return cost{}, err
	}
	after, err := g.database.walPosition(ctx)
	if err != nil {
		return cost{}, err
	}
	c := cost{wall: round.Wall, cpu: round.CPU, memory: updater.Idle() + round.Peak, wal: after - before}
	var results []struct {
		Cluster, Error string
		OK             bool
		Kinds          []struct {
			RowsWritten int64 `json:"rows_written"`
		}
	}
	if err := json.Unmarshal(round.Answer, &results); err != nil {
		return c, fmt.Errorf("reading what the updater printed: %w", err)
	}
	if len(results) != len(g.site.Clusters) {
		return c, fmt.Errorf("the updater refreshed %d clusters of %d", len(results), len(g.site.Clusters))
	}
	for _, r := range results {
		if !r.OK {
			return c, fmt.Errorf("refreshing %s: %s", r.Cluster, r.Error)
		}
		for _, k := range r.Kinds {
			c.rows += k.RowsWritten
		}
	}
	return c, nil
}
