package main

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
)

// writeTable prints what was tried, how often, and what was lost.
func writeTable(w io.Writer, outcomes []outcome) {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{
		"step", "refreshes", "failed", "fields compared", "differences", "ids changed", "wrong tombstones", "wrong changes",
		"other", "hiccups", "fresh after s", "seconds",
	})
	var sum outcome
	for _, o := range outcomes {
		t.AppendRow(o.cells())
		sum = sum.plus(o)
	}
	sum.name, sum.recovered = fmt.Sprintf("%d steps", len(outcomes)), 0
	t.AppendFooter(sum.cells())
	t.Render()
}

func (o outcome) cells() table.Row {
	recovered := ""
	if o.recovered > 0 {
		recovered = fmt.Sprintf("%.1f", o.recovered.Seconds())
	}
	return table.Row{
		o.name, o.refreshes, o.failed, o.fields, len(o.differences), len(o.moved), len(o.tombstones), len(o.changes),
		len(o.others), o.hiccups, recovered, fmt.Sprintf("%.1f", o.took.Seconds()),
	}
}

func (o outcome) plus(p outcome) outcome {
	o.refreshes += p.refreshes
	o.failed += p.failed
	o.fields += p.fields
	o.hiccups += p.hiccups
	o.differences = append(o.differences, p.differences...)
	o.moved = append(o.moved, p.moved...)
	o.tombstones = append(o.tombstones, p.tombstones...)
	o.changes = append(o.changes, p.changes...)
	o.others = append(o.others, p.others...)
	o.took += p.took
	return o
}

// writeLosses prints the first losses of each step and returns how many there are in all.
func writeLosses(w io.Writer, outcomes []outcome) int {
	const shown = 10
	n := 0
	for _, o := range outcomes {
		losses := o.losses()
		n += len(losses)
		for _, text := range losses[:min(shown, len(losses))] {
			fmt.Fprintf(w, "LOST in %q: %s\n", o.name, text)
		}
		if len(losses) > shown {
			fmt.Fprintf(w, "LOST in %q: %d more\n", o.name, len(losses)-shown)
		}
	}
	fmt.Fprintf(w, "lost: %d\n", n)
	return n
}
