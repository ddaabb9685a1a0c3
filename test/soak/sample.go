package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"

	"ganeticache/test/trial"
)

// sampleEvery is often enough for a median of each quarter in a soak of three minutes.
const sampleEvery = 5 * time.Second

// What must stay flat.
const (
	resident    = "resident memory"
	heap        = "heap in use"
	goroutines  = "goroutines"
	files       = "open files"
	connections = "connections to PostgreSQL"
)

// measures lists them in the order of the table.
func measures() []string { return []string{resident, heap, goroutines, files, connections} }

// sample is one look at the daemon, by measure.
type sample map[string]float64

func (r *rig) sample(ctx context.Context) (sample, error) {
	m, err := r.daemon.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	s := sample{
		resident: m["process_resident_memory_bytes"], heap: m["go_memstats_heap_inuse_bytes"],
		goroutines: m["go_goroutines"], files: m["process_open_fds"],
	}
	var conns float64
	err = r.db.GetContext(ctx, &conns, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'trial'")
	if err != nil {
		return nil, fmt.Errorf("counting the daemon's connections: %w", err)
	}
	s[connections] = conns
	return s, nil
}

// grew says by how much a value is above another one, and whether that is too much: a fifth of memory, 10 of the rest.
func grew(measure string, from, to float64) bool {
	if measure == resident || measure == heap {
		return to > from*1.2
	}
	return to > from+10
}

// show writes a value as its measure is read.
func show(measure string, v float64) string {
	if measure == resident || measure == heap {
		return humanize.IBytes(uint64(v))
	}
	return humanize.Ftoa(v)
}

// median is that of a measure in some samples.
func median(samples []sample, measure string) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = s[measure]
	}
	slices.SortFunc(values, cmp.Compare[float64])
	return values[len(values)/2]
}

// report prints the table, and returns what is wrong.
func (r *rig) report() error {
	if len(r.samples) < 8 || r.after == nil {
		return errors.New("the soak ended before there was enough to compare")
	}
	quarter := len(r.samples) / 4
	first, last := r.samples[:quarter], r.samples[len(r.samples)-quarter:]
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"measure", "first quarter", "last quarter", "before PostgreSQL left", "after its return"})
	for _, m := range measures() {
		from, to := median(first, m), median(last, m)
		t.AppendRow(table.Row{m, show(m, from), show(m, to), show(m, r.before[m]), show(m, r.after[m])})
		if grew(m, from, to) {
			r.failf("%s grew from %s to %s", m, show(m, from), show(m, to))
		}
		if m != resident && m != heap && grew(m, r.before[m], r.after[m]) {
			r.failf("%s grew from %s to %s over the time without PostgreSQL", m, show(m, r.before[m]), show(m, r.after[m]))
		}
	}
	_, err := fmt.Fprintf(r.out, "%s\n%d samples of %d clusters with %d VMs each over %s, of which one hung and one had no end\n"+
		"PostgreSQL was away for %s; after its return every healthy cluster was fresh within %s\n",
		t.Render(), len(r.samples), r.clusters, r.vms, r.lasts, r.away, r.back.Round(100*time.Millisecond))
	if err == nil {
		err = r.score.Print(r.out, trial.WrongRows, trial.ChangedIDs, trial.WrongTombstones, trial.WrongChanges,
			trial.NotRecovered, trial.Deaths)
	}
	for _, what := range r.failed {
		err = errors.Join(err, errors.New(what))
	}
	return err
}
