package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The measures of the chart, in pixels.
const (
	chartWidth = 900
	chartLeft  = 300 // where the bars begin
	chartRight = 90  // for the number behind the longest bar
	barHeight  = 14
	barStep    = 18
	groupGap   = 30
	chartTop   = 56
)

// style follows the reader's choice of light or dark.
const style = `<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.group { font-weight: 600 }
.faint { fill: #6e7781 }
.grid { stroke: #d0d7de }
.floor { stroke: #57606a; stroke-dasharray: 4 3 }
.updater { fill: #1a7f37 }
.sqlite { fill: #4ac26b }
.peer { fill: #bc4c00 }
.base { fill: #8c959f }
.ground { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.faint { fill: #8d96a0 }
.grid { stroke: #30363d }
.floor { stroke: #8d96a0 }
.updater { fill: #3fb950 }
.sqlite { fill: #238636 }
.peer { fill: #db6d28 }
.base { fill: #6e7681 }
.ground { fill: #0d1117 }
}
</style>
`

// bar is one line of the chart.
type bar struct {
	group, title, class string
	ratio               float64
}

// bars are the wall times as multiples of the floor, all but the floors' own.
func (rs results) bars() []bar {
	var bars []bar
	for _, r := range rs {
		ratio, ok := rs.ratio(r, wall)
		class := map[string]string{keyPostgres: "updater", keySQLite: "sqlite", keyColdChanges: "base"}[r.entry.key]
		if isPeer(r.entry.key) {
			class = "peer"
		}
		if ok && class != "" {
			bars = append(bars, bar{r.shape.String() + ", " + r.of.title, r.entry.title, class, ratio})
		}
	}
	return bars
}

// scale places ratios on a logarithmic axis.
type scale struct{ low, high float64 }

// scaleOf holds all the bars, and the floor, between powers of ten or halves of one.
func scaleOf(bars []bar) scale {
	s := scale{0.5, 10}
	for _, b := range bars {
		for b.ratio > s.high {
			s.high *= 10
		}
		for b.ratio < s.low {
			s.low /= 2
		}
	}
	return s
}

func (s scale) x(ratio float64) float64 {
	share := math.Log(ratio/s.low) / math.Log(s.high/s.low)
	return chartLeft + share*(chartWidth-chartLeft-chartRight)
}

// ticks are the lines of the grid.
func (s scale) ticks() []float64 {
	ticks := []float64{}
	for power := 0.1; power <= s.high; power *= 10 {
		for _, n := range []float64{1, 2, 5} {
			if t := power * n; t >= s.low*0.999 && t <= s.high*1.001 {
				ticks = append(ticks, t)
			}
		}
	}
	return ticks
}

// chart is an SVG with a horizontal bar for each system in each case.
func (rs results) chart() string {
	bars := rs.bars()
	s := scaleOf(bars)
	var body strings.Builder
	y, last := float64(chartTop), ""
	for _, b := range bars {
		if b.group != last {
			y += groupGap
			fmt.Fprintf(&body, "<text class=\"group\" x=\"8\" y=\"%.0f\">%s</text>\n", y-6, html.EscapeString(b.group))
			last = b.group
		}
		end := s.x(b.ratio)
		fmt.Fprintf(&body, "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%s</text>\n", chartLeft-8, y+barHeight-3, html.EscapeString(b.title))
		fmt.Fprintf(&body, "<rect class=\"%s\" x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"%d\"/>\n", b.class, chartLeft, y, max(end-chartLeft, 1), barHeight)
		fmt.Fprintf(&body, "<text x=\"%.1f\" y=\"%.0f\">%s</text>\n", end+5, y+barHeight-3, times(b.ratio, true))
		y += barStep
	}
	height := y + 20
	var out strings.Builder
	fmt.Fprintf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\" role=\"img\">\n", chartWidth, height, chartWidth, height)
	out.WriteString("<title>Wall time of a round as a multiple of the floor</title>\n" + style)
	fmt.Fprintf(&out, "<rect class=\"ground\" width=\"%d\" height=\"%.0f\"/>\n", chartWidth, height)
	out.WriteString("<text class=\"group\" x=\"8\" y=\"20\">Wall time of a round as a multiple of the floor (logarithmic)</text>\n")
	out.WriteString("<text class=\"faint\" x=\"8\" y=\"38\">Floor: the bare download; where all rows are written, the download and psql's \\copy of the same rows</text>\n")
	for _, t := range s.ticks() {
		class := "grid"
		if math.Abs(t-1) < 0.001 {
			class = "floor"
		}
		fmt.Fprintf(&out, "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.0f\"/>\n", class, s.x(t), s.x(t), chartTop+4, y)
		fmt.Fprintf(&out, "<text class=\"faint\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g ×</text>\n", s.x(t), chartTop, t)
	}
	out.WriteString(body.String() + "</svg>\n")
	return out.String()
}
