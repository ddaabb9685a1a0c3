package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is a configuration that cannot be used. It holds every problem found, so that one run shows all of them.
type Error struct {
	// Problems are sentences, each with its place (file and line, variable or flag), key and what to change.
	Problems []string
}

// Error returns the problems, one per line when there are several.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0]
	}
	return fmt.Sprintf("the configuration has %d problems:\n  - %s", len(e.Problems), strings.Join(e.Problems, "\n  - "))
}

// origin is where a key got its value: a line of the file, an environment variable or a flag.
type origin struct {
	line  int    // in the file; 0 for everything else
	place string // "FILE:12: clusters[0].rapi", "UPDATER_RAPI", "--rapi"
}

// problems collects what is wrong, with the place for sorting.
type problems struct {
	found []problem
	total int // those that were not kept included
}

type problem struct {
	line int
	text string
}

// maxProblems is how many problems are kept: a file that is wrong everywhere needs no longer list.
const maxProblems = 100

// addf notes one problem: place, then the sentence.
func (p *problems) addf(at origin, format string, args ...any) {
	if p.total++; p.total <= maxProblems {
		p.found = append(p.found, problem{at.line, at.place + ": " + fmt.Sprintf(format, args...)})
	}
}

// err returns all problems in the order of the file, those of the environment and the flags after them; nil when there
// are none.
func (p *problems) err() error {
	if len(p.found) == 0 {
		return nil
	}
	slices.SortStableFunc(p.found, func(a, b problem) int {
		if (a.line == 0) != (b.line == 0) {
			return cmp.Compare(b.line, a.line)
		}
		return cmp.Compare(a.line, b.line)
	})
	e := &Error{}
	for _, f := range p.found {
		e.Problems = append(e.Problems, f.text)
	}
	if rest := p.total - len(p.found); rest > 0 {
		e.Problems = append(e.Problems, fmt.Sprintf("and %d more", rest))
	}
	return e
}

// has reports whether a place already has a problem.
func (p *problems) has(at origin) bool {
	return slices.ContainsFunc(p.found, func(f problem) bool { return strings.HasPrefix(f.text, at.place+": ") })
}

// full reports whether further problems are only counted, so that nobody needs to work on their words.
func (p *problems) full() bool { return p.total >= maxProblems }
