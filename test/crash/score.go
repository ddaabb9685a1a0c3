package main

import (
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// phase is where a kill hit.
type phase string

const (
	before  phase = "before the first write"
	writing phase = "inside a transaction"
	between phase = "between two transactions"
	after   phase = "after the last write"
	ended   phase = "too late: it had ended"
)

func phases() []phase { return []phase{before, writing, between, after, ended} }

// score is what was tried on one database and what was lost.
type score struct {
	database string
	// runs are those that were to be killed, repaired those after which the next run found and left all well.
	runs     int
	hits     map[phase]int
	repaired int
	// freezes count the replicas that were stopped in the middle of an apply and woken; slowest is the longest time until
	// another had taken over and stored everything.
	freezes int
	slowest time.Duration
	// What must stay zero. rows are missing or differ from the cluster, tombstones are of objects that exist, ids are
	// other ones than before, stamps call rows fresh that are not, changes are illegal, missing or told twice, sessions
	// outlive their process, woken are writes of replicas whose lease is over.
	rows, tombstones, ids, grants, stamps, changes, sessions, damage, woken int
	// findings say the first of them in words.
	findings []string
}

func (s *score) lost() int {
	return s.rows + s.tombstones + s.ids + s.grants + s.stamps + s.changes + s.sessions + s.damage + s.woken
}

// kills counts the runs that did not end by themselves.
func (s *score) kills() int { return s.runs - s.hits[ended] }

// maxFindings is how many are told in words.
const maxFindings = 20

// findf counts something lost.
func (s *score) findf(count *int, format string, args ...any) {
	*count++
	if len(s.findings) < maxFindings {
		s.findings = append(s.findings, fmt.Sprintf("run %d: ", s.runs)+fmt.Sprintf(format, args...))
	}
}

// report is the table at the end.
func report(scores []*score) string {
	t := table.NewWriter()
	style := table.StyleLight
	style.Options.DrawBorder, style.Options.SeparateColumns = false, false
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	header := table.Row{"tried"}
	for _, s := range scores {
		header = append(header, s.database)
	}
	t.AppendHeader(header)
	line := func(what string, value func(*score) int) {
		r := table.Row{what}
		for _, s := range scores {
			r = append(r, value(s))
		}
		t.AppendRow(r)
	}
	line("runs", func(s *score) int { return s.runs })
	line("killed", func(s *score) int { return s.kills() })
	for _, p := range phases() {
		line("  "+string(p), func(s *score) int { return s.hits[p] })
	}
	line("runs repaired by the next run", func(s *score) int { return s.repaired })
	line("replicas stopped in an apply, and woken", func(s *score) int { return s.freezes })
	line("  slowest take-over, in ms", func(s *score) int { return int(s.slowest.Milliseconds()) })
	t.AppendSeparator()
	line("rows lost or wrong", func(s *score) int { return s.rows })
	line("wrong tombstones", func(s *score) int { return s.tombstones })
	line("ids changed", func(s *score) int { return s.ids })
	line("grants lost", func(s *score) int { return s.grants })
	line("false freshness", func(s *score) int { return s.stamps })
	line("changes missing, illegal or twice", func(s *score) int { return s.changes })
	line("sessions and locks left", func(s *score) int { return s.sessions })
	line("damage to the database", func(s *score) int { return s.damage })
	line("writes of woken replicas", func(s *score) int { return s.woken })
	return t.Render()
}
