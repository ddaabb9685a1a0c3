package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ganeticache/db"
)

// search is how long a page of 50 took.
type search struct {
	title string
	rows  int
	// median and worst are of searchRuns in a row, after one that is not counted.
	median, worst time.Duration
}

const searchRuns = 20

// search measures the queries of the read API, without HTTP.
func (d *database) search(ctx context.Context) (found []search, err error) {
	var ip, uncommon string
	err = d.conn.QueryRowxContext(ctx, `SELECT (SELECT nic_ips[1] FROM virtual_machines WHERE nic_ips[1] <> '' ORDER BY id DESC LIMIT 1),
(SELECT name FROM virtual_machines ORDER BY id DESC LIMIT 1)`).Scan(&ip, &uncommon)
	if err != nil {
		return nil, fmt.Errorf("choosing what to search for: %w", err)
	}
	store, err := db.Open(ctx, d.url(), db.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for _, s := range []struct {
		title  string
		filter db.VMFilter
	}{
		{"all, by name", db.VMFilter{}},
		{"all of one cluster, by name", db.VMFilter{Clusters: []string{"cluster1.example"}}},
		{"name, exactly", db.VMFilter{Name: uncommon}},
		{"name with * in front", db.VMFilter{Name: "*" + uncommon[len("inst"):]}},
		{"status, common: running", db.VMFilter{Statuses: []string{"running"}}},
		{"status, rare: ERROR_down", db.VMFilter{Statuses: []string{"ERROR_down"}}},
		{"tag, common: env:prod", db.VMFilter{Tags: []string{"env:prod"}}},
		{"tag, of 4 in 100: owner:team-3", db.VMFilter{Tags: []string{"owner:team-3"}}},
		{"two tags and a status", db.VMFilter{Tags: []string{"owner:team-3", "env:dev"}, Statuses: []string{"ADMIN_down"}}},
		{"IP address", db.VMFilter{IP: ip}},
		{"memory from 256 MiB, by memory", db.VMFilter{Memory: db.Range{Min: new(int64(256))}, Sort: "memory_mib"}},
	} {
		one, err := timeSearch(ctx, store, s.filter)
		if err != nil {
			return nil, fmt.Errorf("searching (%s): %w", s.title, err)
		}
		one.title = s.title
		found = append(found, one)
	}
	return found, nil
}

func timeSearch(ctx context.Context, store *db.Store, f db.VMFilter) (search, error) {
	var took []time.Duration
	var rows int
	for i := range searchRuns + 1 {
		began := time.Now()
		page, err := store.SearchVMs(ctx, f)
		if err != nil {
			return search{}, err
		}
		if i > 0 {
			took = append(took, time.Since(began))
		}
		rows = len(page.Items)
	}
	slices.Sort(took)
	return search{rows: rows, median: took[len(took)/2], worst: took[len(took)-1]}, nil
}
