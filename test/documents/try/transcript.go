package main

import (
	"fmt"
	"regexp"
	"strings"
)

// compare fails when the shape of what a transcript shows is not that of what came out: the headings of a table, the key
// or first word of any other line, in this order. Names, numbers and times are the reader's own, and the rows of a table
// too; a line with "…" stands for any lines. Of a command that was interrupted the order is a matter of the clock.
func compare(shown, said string, ordered bool) error {
	rest := strings.Split(said, "\n")
	lines := strings.Split(shown, "\n")
	table := false
	for i, line := range lines {
		line = strings.TrimSpace(line)
		rule := strings.HasPrefix(line, "──")
		heading := i+1 < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[i+1]), "──")
		switch {
		case line == "":
			table = false
			continue
		case strings.HasPrefix(line, "…"), table && !rule:
			continue
		case rule:
			table = true
		}
		found := false
		for j, actual := range rest {
			if alike(line, strings.TrimSpace(actual), heading) {
				if found = true; ordered {
					rest = rest[j+1:]
				}
				break
			}
		}
		if !found {
			return fmt.Errorf("the document shows %q, and what came out has no such line there:\n%s", line, said)
		}
	}
	return nil
}

var (
	spaces  = regexp.MustCompile(`\s+`)
	jsonKey = regexp.MustCompile(`"[a-z_0-9]+":`)
	// number is what differs each time: in times, sizes and names.
	number = regexp.MustCompile(`\d+`)
)

// alike compares one line. A heading must be the same word by word.
func alike(shown, actual string, heading bool) bool {
	if heading {
		return spaces.ReplaceAllString(shown, " ") == spaces.ReplaceAllString(actual, " ")
	}
	if strings.HasPrefix(shown, "──") {
		return strings.HasPrefix(actual, "──")
	}
	if keys := jsonKey.FindAllString(shown, -1); len(keys) > 0 {
		for _, key := range keys {
			if !strings.Contains(actual, key) {
				return false
			}
		}
		return true
	}
	want, _, _ := strings.Cut(spaces.ReplaceAllString(shown, " "), " ")
	got, _, _ := strings.Cut(spaces.ReplaceAllString(actual, " "), " ")
	if known, _, cut := strings.Cut(want, "…"); cut {
		return strings.HasPrefix(got, known)
	}
	return number.ReplaceAllString(want, "0") == number.ReplaceAllString(got, "0")
}

var (
	answer = regexp.MustCompile(`\[HTTP \d+\]`)
	status = regexp.MustCompile(`# .*\b[1-5]\d\d\b`)
)

// answered fails when a curl was answered with another status than its comment says, or with none of success where it says
// nothing.
func answered(typed, said string) error {
	if !strings.HasPrefix(typed, "curl ") || strings.Contains(typed, " -w ") {
		return nil
	}
	got := answer.FindString(said)
	want := status.FindString(typed)
	code := want[max(len(want)-3, 0):]
	switch {
	case got == "":
		return fmt.Errorf("no answer came:\n%s", said)
	case want == "" && strings.HasPrefix(got, "[HTTP 2"), want != "" && got == "[HTTP "+code+"]":
		return nil
	case got == "[HTTP 200]" && strings.HasSuffix(want, "; "+code): // "always asks; 502 when Ganeti fails"
		return nil
	}
	return fmt.Errorf("the answer is %s:\n%s", got, said)
}
