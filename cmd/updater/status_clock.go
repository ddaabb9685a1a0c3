package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/updater"
)

// clockSlack is how far a time may lie ahead before it is called wrong, and maxClockOffset how far the clock of an updater's
// machine may be from the database's.
const (
	clockSlack     = 2 * time.Second
	maxClockOffset = 5 * time.Second
)

// databaseNow is the time by which ages are told: the database's clock where it has one.
func databaseNow(ctx context.Context, store *db.Store) time.Time {
	if at, err := store.Clock(ctx); err == nil && !at.IsZero() {
		return at
	}
	return time.Now()
}

// clockTroubles says of each cluster, by name, which times on record cannot be, and whether the clock of the machine that
// refreshes it is wrong.
func clockTroubles(ctx context.Context, c *config.Config, store *db.Store, rows []db.ClusterStatus, now time.Time) map[string][]string {
	if all, _, err := withStored(ctx, c, store); err == nil {
		c = all
	}
	configured := map[string]updater.Cluster{}
	if all, err := clusters(c); err == nil {
		for _, cluster := range all {
			configured[cluster.Name] = cluster
		}
	}
	troubles := map[string][]string{}
	for _, row := range rows {
		if !row.Enabled {
			continue
		}
		for _, stamp := range updater.ImpossibleStamps(configured[row.Name], byKind(row.Freshness), now) {
			troubles[row.Name] = append(troubles[row.Name], stamp.String())
		}
		if h := row.Holder; h != nil && h.Alive && time.Duration(h.ClockOffsetMS)*time.Millisecond > maxClockOffset ||
			h != nil && h.Alive && -time.Duration(h.ClockOffsetMS)*time.Millisecond > maxClockOffset {
			troubles[row.Name] = append(troubles[row.Name], fmt.Sprintf("the clock of %s, which refreshes it, differs from the database's by %s",
				h.Host, (time.Duration(h.ClockOffsetMS)*time.Millisecond).Round(time.Second)))
		}
	}
	return troubles
}

// writeClocks adds what is wrong with the times of a cluster.
func writeClocks(w *strings.Builder, cluster string, troubles []string) {
	for _, why := range troubles {
		fmt.Fprintf(w, "%s: clock: %s\n", cluster, why)
	}
}
