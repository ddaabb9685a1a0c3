package trial_test

import (
	"strings"
	"testing"

	"ganeticache/test/trial"
)

func TestScore(t *testing.T) {
	var s trial.Score
	s.Tried("pause")
	s.TriedTimes("kill -9", 0)
	s.Looked("rows", 40)
	if s.Lost() != 0 {
		t.Errorf("%d lost, though nothing was", s.Lost())
	}
	s.Losef(trial.LostGrants, "the grant of %s", "alice")
	if s.Lost() != 1 {
		t.Errorf("%d lost, want 1", s.Lost())
	}
	var out strings.Builder
	if err := s.Print(&out, trial.Losses()...); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pause", "kill -9", "rows", "40"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
	for _, loss := range trial.Losses() {
		if !strings.Contains(out.String(), string(loss)) {
			t.Errorf("the table lacks the loss %q, zero or not", loss)
		}
	}
	if details := s.Details(); len(details) != 1 || !strings.Contains(details[0], "the grant of alice") {
		t.Errorf("details: %q", details)
	}
}

func TestParseMetrics(t *testing.T) {
	text := "# HELP a b\na 1\nb{x=\"1 2\",y=\"}\"} 2.5\nb{x=\"3\"} 1e3\n"
	m, err := trial.ParseMetrics(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if m["a"] != 1 || m["b"] != 1002.5 {
		t.Errorf("got %v", m)
	}
	if _, err := trial.ParseMetrics(strings.NewReader("<html>\n")); err == nil {
		t.Error("a page was taken for metrics")
	}
}

func TestEven(t *testing.T) {
	tests := []struct {
		name   string
		spread map[string]int
		want   bool
	}{
		{"even", map[string]int{"a": 4, "b": 4, "c": 4}, true},
		{"two apart", map[string]int{"a": 5, "b": 4, "c": 3}, false},
		{"a cluster nobody has", map[string]int{"a": 4, "b": 4, "c": 3}, false},
		{"a replica is missing", map[string]int{"a": 6, "b": 6}, false},
		{"a dead one counts still", map[string]int{"a": 3, "b": 3, "c": 3, "d": 3}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := trial.Even(tt.spread, 3, 12); got != tt.want {
				t.Errorf("Even(%v) = %t", tt.spread, got)
			}
		})
	}
	if !trial.Even(map[string]int{"a": 5, "b": 4, "c": 4}, 3, 13) {
		t.Error("5, 4 and 4 are not even")
	}
}
