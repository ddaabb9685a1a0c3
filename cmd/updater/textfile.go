package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ganeticache/db"
	"ganeticache/updater"
)

// textfileName is the file that --textfile writes. node_exporter reads what ends in .prom; the file that is being written
// has another end.
const textfileName = "ganeti_updater.prom"

// textfileTimeout bounds the queries for a file that is written although the run was interrupted.
const textfileTimeout = 5 * time.Second

// textfile collects what --textfile tells node_exporter about one run of --once. The metrics' names are public;
// last_success and objects are the daemon's own, so that its alerts work for both.
type textfile struct {
	dir      string
	registry *prometheus.Registry
	success  *prometheus.GaugeVec
	duration *prometheus.GaugeVec
	objects  *prometheus.GaugeVec
	last     *prometheus.GaugeVec
}

// newTextfile returns nil when there is no dir, and nil collects nothing.
func newTextfile(dir string) *textfile {
	if dir == "" {
		return nil
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "ganeti_updater", Name: name, Help: help}, labels)
	}
	t := &textfile{
		dir: dir, registry: prometheus.NewRegistry(),
		success:  gauge("once_success", "1 when the last run refreshed the cluster, else 0.", "cluster"),
		duration: gauge("once_duration_seconds", "How long the last run took for the cluster.", "cluster"),
		objects:  gauge("objects", "Objects in the newest complete answer.", "cluster", "kind"),
		last:     gauge("last_success_timestamp_seconds", "As of when the rows are true, in Unix time.", "cluster", "kind"),
	}
	t.registry.MustRegister(t.success, t.duration, t.objects, t.last)
	return t
}

// refreshed adds the outcome of this run and, from the database, the age of every enabled cluster, refreshed now or not.
func (t *textfile) refreshed(ctx context.Context, store *db.Store, results []updater.Result) error {
	if t == nil {
		return nil
	}
	for _, r := range results {
		ok := 0.0
		if r.Err() == nil {
			ok = 1
		}
		t.success.WithLabelValues(r.Cluster).Set(ok)
		t.duration.WithLabelValues(r.Cluster).Set(r.Duration.Seconds())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), textfileTimeout)
	defer cancel()
	clusters, err := store.Status(ctx)
	if err != nil {
		return fmt.Errorf("collecting the metrics for --textfile: %w", err)
	}
	for _, c := range clusters {
		for _, f := range c.Freshness {
			if c.Enabled && f.RefreshedAt != nil {
				t.last.WithLabelValues(c.Name, string(f.Kind)).Set(float64(f.RefreshedAt.UnixMilli()) / 1000)
				t.objects.WithLabelValues(c.Name, string(f.Kind)).Set(float64(f.Objects))
			}
		}
	}
	return nil
}

// write puts the file in place with the exit code that runErr asks for, in one step: a reader sees the old one or the new
// one. It returns runErr, and what went wrong with the file beside it.
func (t *textfile) write(runErr error) error {
	if t == nil {
		return runErr
	}
	end := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ganeti_updater_once_end_timestamp_seconds", Help: "When the last run ended, in Unix time.",
	})
	end.SetToCurrentTime()
	code := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ganeti_updater_once_exit_code",
		Help: "Exit code of the last run: 0 all refreshed, 3 some failed, 1 none refreshed or no database, 2 bad configuration.",
	})
	code.Set(float64(exitCodeOf(runErr)))
	t.registry.MustRegister(end, code)
	file := filepath.Join(t.dir, textfileName)
	if err := prometheus.WriteToTextfile(file, t.registry); err != nil {
		return beside(runErr, fmt.Errorf("writing %s (--textfile): %w", file, err))
	}
	return runErr
}

// beside adds an error to the outcome of a run, whose exit code stays unless all went well.
func beside(outcome, err error) error {
	switch {
	case err == nil:
		return outcome
	case outcome == nil:
		return fail(err)
	case errors.Is(outcome, errReported): // joined to it the new error would count as printed, too
		return withCode(outcome, err)
	default:
		return withCode(outcome, errors.Join(outcome, err))
	}
}
