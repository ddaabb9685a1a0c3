package trial

import (
	"fmt"
	"io"
	"sync"

	"github.com/jedib0t/go-pretty/v6/table"
)

// Loss is a kind of thing that must never happen.
type Loss string

// The losses.
const (
	WrongRows       Loss = "rows missing or other than the cluster"
	ChangedIDs      Loss = "row ids changed"
	LostGrants      Loss = "grants gone, or come from nowhere"
	WrongTombstones Loss = "objects removed while they existed"
	WrongChanges    Loss = "changes missing, double or illegal"
	FalseFresh      Loss = "called fresher than true"
	OldTokens       Loss = "writes with an old fencing token"
	NotRecovered    Loss = "clusters not fresh again in time"
	Deaths          Loss = "processes that ended by themselves"
	Uneven          Loss = "leases not spread evenly"
)

// Losses lists them all.
func Losses() []Loss {
	return []Loss{
		WrongRows, ChangedIDs, LostGrants, WrongTombstones, WrongChanges, FalseFresh, OldTokens, NotRecovered, Deaths, Uneven,
	}
}

// maxDetails is how many findings are kept word by word.
const maxDetails = 20

// Score counts what was tried, what was looked at, and what was lost. Safe for concurrent use. Its zero value is ready.
type Score struct {
	mu      sync.Mutex
	tried   counts
	looked  counts
	lost    map[Loss]int
	details []string
}

// counts keeps the order in which things were first counted.
type counts struct {
	names []string
	of    map[string]int
}

func (c *counts) add(name string, n int) {
	if c.of == nil {
		c.of = map[string]int{}
	}
	if _, ok := c.of[name]; !ok {
		c.names = append(c.names, name)
	}
	c.of[name] += n
}

// Tried counts one more try of something.
func (s *Score) Tried(what string) { s.TriedTimes(what, 1) }

// TriedTimes counts so many tries; 0 has it appear in the table.
func (s *Score) TriedTimes(what string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried.add(what, n)
}

// Looked counts things that were looked at.
func (s *Score) Looked(at string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked.add(at, n)
}

// Losef counts a loss and keeps what is said about the first of them.
func (s *Score) Losef(l Loss, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == nil {
		s.lost = map[Loss]int{}
	}
	s.lost[l]++
	if len(s.details) < maxDetails {
		s.details = append(s.details, string(l)+": "+fmt.Sprintf(format, args...))
	}
}

// Lost returns how much was lost in all.
func (s *Score) Lost() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := 0
	for _, n := range s.lost {
		sum += n
	}
	return sum
}

// Details returns what was said about the first findings.
func (s *Score) Details() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.details...)
}

// Print writes the table: what was tried, looked at, and lost. Only the losses that the trial looked for are named: the
// zero of another one would be assumed, not counted.
func (s *Score) Print(w io.Writer, losses ...Loss) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"tried", "times"})
	for _, name := range s.tried.names {
		t.AppendRow(table.Row{name, s.tried.of[name]})
	}
	t.AppendSeparator()
	t.AppendRow(table.Row{"LOOKED AT", ""})
	t.AppendSeparator()
	for _, name := range s.looked.names {
		t.AppendRow(table.Row{name, s.looked.of[name]})
	}
	t.AppendSeparator()
	t.AppendRow(table.Row{"LOST", ""})
	t.AppendSeparator()
	for _, l := range losses {
		t.AppendRow(table.Row{string(l), s.lost[l]})
	}
	if _, err := fmt.Fprintln(w, t.Render()); err != nil {
		return fmt.Errorf("printing the table: %w", err)
	}
	return nil
}
