package main

import (
	"context"

	"ganeticache/config"
	"ganeticache/db"
)

// checkNames finds the clusters that would be refused because they are cached, or listed, under another name already, and
// makes failures of their outcomes. Whoever has no readable database, or no row in it, comes in the order of the list.
func checkNames(ctx context.Context, c *config.Config, results []checked) {
	rows := map[string]db.Cluster{}
	var store *db.Store
	if haveSchema(ctx, c) == nil {
		opened, err := db.Open(ctx, c.DatabaseURL.Reveal(), db.Options{ReadOnly: true})
		if err != nil {
			return // the check of the database says so
		}
		defer opened.Close()
		store = opened
		known, err := store.MatchClusters(ctx, settingsOfAll(c))
		if err != nil {
			return
		}
		for _, row := range known {
			name := row.Name
			if row.Listed != "" {
				name = row.Listed
			}
			rows[name] = row
		}
	}
	first := map[string]string{}
	for i, cluster := range c.Clusters {
		r := &results[i]
		if r.uuid == "" {
			continue
		}
		if err := checkName(ctx, store, cluster, rows[cluster.Name], r.uuid, first); err != nil {
			*r = result(r.What, "", err)
		}
	}
}

// checkName checks one; first has the names of those that are right, by uuid.
func checkName(ctx context.Context, store *db.Store, c config.Cluster, row db.Cluster, uuid string, first map[string]string) error {
	row.Name, row.AllowDuplicate = c.Name, row.AllowDuplicate && c.Stored || c.AllowDuplicate
	if store != nil {
		if err := store.Twin(ctx, row, uuid); err != nil {
			return err
		}
	}
	if name, others := first[uuid]; others && row.UUID == "" && !row.AllowDuplicate {
		return &db.DuplicateError{Name: c.Name, Twin: name, UUID: uuid}
	}
	if first[uuid] == "" {
		first[uuid] = c.Name
	}
	return nil
}

// settingsOfAll is as much of the clusters' settings as is needed to find their rows.
func settingsOfAll(c *config.Config) []db.ClusterSettings {
	var all []db.ClusterSettings
	for _, cluster := range c.Clusters {
		s := db.ClusterSettings{Name: cluster.Name, Stored: cluster.Stored}
		settings, err := cluster.Settings()
		if addresses, addrErr := settings.Addresses(); err == nil && addrErr == nil {
			s.RAPIHost, s.RAPIPort = addresses[0].Host, addresses[0].Port
			for _, a := range addresses[1:] {
				s.RAPIOthers = append(s.RAPIOthers, db.RAPIAddress(a))
			}
		}
		all = append(all, s)
	}
	return all
}
