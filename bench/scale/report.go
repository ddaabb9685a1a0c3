package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// report is what a whole run found.
type report struct {
	machine machine
	results []result
}

// medians takes each figure's own median.
func medians(all []cost) cost {
	return cost{
		wall: median(all, func(c cost) time.Duration { return c.wall }), cpu: median(all, func(c cost) time.Duration { return c.cpu }),
		memory: median(all, func(c cost) int64 { return c.memory }),
		rows:   median(all, func(c cost) int64 { return c.rows }), wal: median(all, func(c cost) int64 { return c.wal }),
	}
}

func median[T cmp.Ordered](all []cost, of func(cost) T) T {
	values := make([]T, 0, len(all))
	for _, c := range all {
		values = append(values, of(c))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// line is one figure for every step.
type line struct {
	title string
	of    func(result) string
}

func lines() []line {
	took := func(d time.Duration) string {
		if d < time.Second {
			return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
		}
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	size := func(n int64) string { return humanize.Bytes(uint64(max(n, 0))) }
	mebi := func(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
	perVM := func(r result, n int64) string { return humanize.Comma(n / int64(r.clusters*r.vms)) }
	ratio := func(a, b time.Duration) string { return fmt.Sprintf("%.2f ×", float64(a)/float64(b)) }
	return []line{
		{"one cycle downloads", func(r result) string { return size(r.body) }},
		{"first load, wall", func(r result) string { return took(r.first.wall) }},
		{"first load, VMs a second", func(r result) string {
			return humanize.Comma(int64(float64(r.clusters*r.vms) / r.first.wall.Seconds()))
		}},
		{"first load, CPU of the updater", func(r result) string { return took(r.first.cpu) }},
		{"first load, WAL", func(r result) string { return size(r.first.wal) }},
		{"first load, memory of the updater", func(r result) string { return mebi(r.first.memory) }},
		{"first cycle after a restart, wall", func(r result) string { return took(r.restarted.wall) }},
		{"first cycle after a restart, × bare download", func(r result) string { return ratio(r.restarted.wall, r.floor.wall) }},
		{"first cycle after a restart, memory", func(r result) string { return mebi(r.restarted.memory) }},
		{"steady cycle, wall", func(r result) string { return took(r.steady.wall) }},
		{"bare download, wall", func(r result) string { return took(r.floor.wall) }},
		{"steady cycle, × bare download, wall", func(r result) string { return ratio(r.steady.wall, r.floor.wall) }},
		{"steady cycle, × bare download, CPU", func(r result) string { return ratio(r.steady.cpu, r.floor.cpu) }},
		{"steady cycle, rows of objects written", func(r result) string { return humanize.Comma(r.steady.rows) }},
		{"steady cycle, WAL", func(r result) string { return size(r.steady.wal) }},
		{"steady cycle, WAL per cluster", func(r result) string { return size(r.steady.wal / int64(r.clusters)) }},
		{"steady cycle, memory of the updater", func(r result) string { return mebi(r.steady.memory) }},
		{"the same, of the bare download", func(r result) string { return mebi(r.floor.memory) }},
		{"database", func(r result) string { return size(r.storage.Whole) }},
		{"database, bytes per VM", func(r result) string { return perVM(r, r.storage.Whole) }},
		{"of it: rows of VMs", func(r result) string { return size(r.storage.Rows) }},
		{"of it: JSON of VMs beside their rows", func(r result) string { return size(r.storage.Info) }},
		{"of it: indexes of VMs", func(r result) string { return size(r.storage.Indexes) }},
		{"of it: changes with indexes", func(r result) string { return size(r.storage.Changes) }},
		{"memory of the simulator", func(r result) string { return mebi(r.simulator) }},
	}
}

// figures has a column for every step.
func (r report) figures() table.Writer {
	t := newTable()
	header := table.Row{"clusters × VMs"}
	for _, one := range r.results {
		header = append(header, humanize.Comma(int64(one.clusters))+" × "+humanize.Comma(int64(one.vms)))
	}
	t.AppendHeader(header)
	for _, l := range lines() {
		values := table.Row{l.title}
		for _, one := range r.results {
			values = append(values, l.of(one))
		}
		t.AppendRow(values)
	}
	return t
}

// searches has the medians of every step, and the worst of the last.
func (r report) searches() table.Writer {
	t := newTable()
	millis := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
	header := table.Row{"page of 50"}
	for _, one := range r.results {
		header = append(header, humanize.Comma(int64(one.clusters*one.vms)))
	}
	t.AppendHeader(append(header, "worst of the last", "rows"))
	for i, last := range r.results[len(r.results)-1].searches {
		values := table.Row{last.title}
		for _, one := range r.results {
			values = append(values, millis(one.searches[i].median))
		}
		t.AppendRow(append(values, millis(last.worst), last.rows))
	}
	return t
}

func newTable() table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	var right []table.ColumnConfig
	for n := 2; n <= 10; n++ {
		right = append(right, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(right)
	return t
}

// print writes the tables for a person at a terminal.
func (r report) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s\n\n%s\n\n%s\n", strings.Join(r.lines(), "\n"), r.figures().Render(), r.searches().Render())
	if err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// write puts scale.md into a folder.
func (r report) write(folder string) error {
	var b strings.Builder
	b.WriteString("# What `make bench-scale` measured\n\nWritten by the program; [bench/README.md](../README.md#what-the-figures-say) says what the figures mean.\n\n")
	for _, l := range r.lines() {
		b.WriteString("- " + l + "\n")
	}
	fmt.Fprintf(&b, "\n## Loading and refreshing\n\n%s\n\n## Searching\n\nMedians of %d, of the queries that the read API makes, without HTTP.\n\n%s\n",
		r.figures().RenderMarkdown(), searchRuns, r.searches().RenderMarkdown())
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("making the folder of the results: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "scale.md"), []byte(b.String()), 0o644); err != nil { //nolint:gosec // for everybody to read
		return fmt.Errorf("writing the results: %w", err)
	}
	return nil
}

func (r report) lines() []string {
	return append(r.machine.lines(), "PostgreSQL: "+r.results[0].storage.Version+", default settings")
}
