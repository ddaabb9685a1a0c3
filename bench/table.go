package main

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// figures is the table of medians.
func (rs results) figures() table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"clusters × VMs", "case", "system", "runs", "wall", "× floor", "CPU", "× floor", "peak memory", "WAL", "rows written"})
	last := ""
	for _, r := range rs {
		m, ok := r.median()
		if !ok {
			continue
		}
		if group := r.shape.key() + r.of.key; group != last {
			t.AppendSeparator()
			last = group
		}
		t.AppendRow(table.Row{
			r.shape, r.of.title, r.entry.title, len(r.costs), millis(m.wall), times(rs.ratio(r, wall)), millis(m.cpu),
			times(rs.ratio(r, cpu)), mebi(m.peak), bytesOrNone(m.wal), countOrNone(m.rows),
		})
	}
	var right []table.ColumnConfig
	for n := 4; n <= 11; n++ {
		right = append(right, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(right)
	return t
}

func millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms >= 100 {
		return humanize.Commaf(float64(int64(ms+0.5))) + " ms"
	}
	return fmt.Sprintf("%.1f ms", ms)
}

func times(ratio float64, ok bool) string {
	switch {
	case !ok:
		return ""
	case ratio >= 20:
		return fmt.Sprintf("%.0f ×", ratio)
	default:
		return fmt.Sprintf("%.2f ×", ratio)
	}
}

func mebi(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func bytesOrNone(n int64) string {
	if n < 0 {
		return ""
	}
	return humanize.Bytes(uint64(n))
}

func countOrNone(n int64) string {
	if n < 0 {
		return ""
	}
	return humanize.Comma(n)
}
