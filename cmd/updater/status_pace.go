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

// stretchedPaces gives the pace of each cluster whose interval refresh_budget stretches, by name: it follows from the
// configuration and the freshness on record.
func stretchedPaces(ctx context.Context, c *config.Config, store *db.Store, rows []db.ClusterStatus) map[string]updater.Pace {
	paces := map[string]updater.Pace{}
	// A user who may only read the cache may not see the settings kept in the database; the status is whole without.
	if all, _, err := withStored(ctx, c, store); err == nil {
		c = all
	}
	configured, err := clusters(c)
	if err != nil {
		return paces
	}
	for _, cluster := range configured {
		for _, row := range rows {
			if row.Name != cluster.Name {
				continue
			}
			if p, ok := updater.StretchedPace(cluster, byKind(row.Freshness)); ok {
				paces[row.Name] = p
			}
		}
	}
	return paces
}

func byKind(rows []db.Freshness) map[db.Kind]db.Freshness {
	fresh := make(map[db.Kind]db.Freshness, len(rows))
	for _, f := range rows {
		fresh[f.Kind] = f
	}
	return fresh
}

// writePace adds the sentence about a cluster whose interval is stretched.
func writePace(w *strings.Builder, cluster string, p updater.Pace) {
	fmt.Fprintf(w, "%s: every %s stretched to %s: its RAPI needs %s, and refresh_budget is %.3g%%\n", cluster,
		rough(p.Schedule), rough(p.Interval), briefly(p.Busy), 100*p.Budget)
}

// briefly gives the duration of requests: 15.1s, 80ms.
func briefly(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// statusPaceJSON is a stretched interval as --json prints it. The names are public.
type statusPaceJSON struct {
	ScheduleSeconds float64 `json:"schedule_seconds"`
	IntervalSeconds float64 `json:"interval_seconds"`
	// BusySeconds is how long a refresh keeps RAPI busy; Budget is the share of the interval that it may.
	BusySeconds float64 `json:"rapi_seconds_per_refresh"`
	Budget      float64 `json:"refresh_budget"`
}

func paceToJSON(p updater.Pace) *statusPaceJSON {
	return &statusPaceJSON{
		ScheduleSeconds: p.Schedule.Seconds(), IntervalSeconds: p.Interval.Seconds(), BusySeconds: p.Busy.Seconds(), Budget: p.Budget,
	}
}
