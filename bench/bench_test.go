package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	bench "ganeticache/bench"
)

// TestMain lets the bench run itself as its child processes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "simulate" || os.Args[1] == "download") {
		os.Exit(bench.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// updater builds the program that is measured.
func updater(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "updater")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "ganeticache/cmd/updater").CombinedOutput(); err != nil {
		t.Fatalf("building the updater: %v\n%s", err, out)
	}
	return binary
}

// The harness itself fails when a database is not true after a round; what is left to look at is that it did rounds, and
// that it would have noticed.
func TestRig(t *testing.T) {
	t.Parallel()
	systems := []string{"floor", "cold", "cold-changes", "updater-pg", "updater-sqlite"}
	err := bench.WithRig(t.Context(), updater(t), systems, func(r bench.Rig) error {
		everyCase(t, r)
		for _, system := range systems[3:] {
			for _, statement := range []string{
				"UPDATE virtual_machines SET memory_mib = memory_mib + 1 WHERE id = (SELECT min(id) FROM virtual_machines)",
				"UPDATE virtual_machines SET deleted_at = observed_at WHERE id = (SELECT min(id) FROM virtual_machines)",
				"DELETE FROM jobs WHERE id = (SELECT min(id) FROM jobs)",
			} {
				wrongDatabase(t, r, system, statement)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func everyCase(t *testing.T, r bench.Rig) {
	t.Helper()
	got, err := r.Measure(t.Context(), "first", "unchanged", "restart", "some", "all", "removed")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]map[string]int64{}
	for _, m := range got {
		if m.Runs != 1 {
			t.Errorf("%s of %s: %d runs", m.Case, m.System, m.Runs)
		}
		if written[m.System] == nil {
			written[m.System] = map[string]int64{}
		}
		written[m.System][m.Case] = m.Rows
	}
	// Of each of the two clusters: 20 VMs, 2 nodes, 2 groups, 4 networks, 10 jobs; the updater writes the cluster's row too,
	// and the last psql a row of changes for each row and cluster.
	want := map[string]map[string]int64{
		"floor":          {"first": -1, "unchanged": -1, "restart": -1, "some": -1, "all": -1, "removed": -1},
		"cold":           {"first": 76, "all": 76},
		"cold-changes":   {"first": 154},
		"updater-pg":     {"first": 78, "unchanged": 0, "restart": 0},
		"updater-sqlite": {"first": 78, "unchanged": 0, "restart": 0},
	}
	for _, system := range []string{"updater-pg", "updater-sqlite"} {
		for _, c := range []string{"some", "all", "removed"} {
			want[system][c] = written["updater-pg"][c]
			if written[system][c] < 2 {
				t.Errorf("%s of %s: %d rows written", c, system, written[system][c])
			}
		}
	}
	if diff := cmp.Diff(want, written); diff != "" {
		t.Errorf("rows written (-want +got):\n%s", diff)
	}
}

func TestBench_Results(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var stdout, stderr bytes.Buffer
	code := bench.Run([]string{
		"-updater", updater(t), "-out", folder, "-runs", "1", "-shapes", "2x20", "-cases", "first,unchanged", "-systems", "floor,cold,updater-pg,updater-sqlite",
	}, nil, &stdout, &stderr)
	if code != 0 {
		t.Fatalf("code %d\n%s", code, stderr.String())
	}
	for name, words := range map[string][]string{
		"latest.md":  {"nothing changed", "updater, PostgreSQL", "not measured", "PostgreSQL: "},
		"latest.svg": {"<svg ", "2 × 20, first load", "updater, SQLite", "</svg>"},
	} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if !strings.Contains(string(text), word) {
				t.Errorf("%s does not say %q:\n%s", name, word, text)
			}
		}
	}
	if !strings.Contains(stdout.String(), "2 × 20") {
		t.Errorf("the table does not name the shape:\n%s", stdout.String())
	}
}

// wrongDatabase changes a row behind the updater's back: a round that finds nothing new leaves it, and must be found out.
func wrongDatabase(t *testing.T, r bench.Rig, system, statement string) {
	t.Helper()
	if _, err := r.Measure(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	if err := r.Exec(t.Context(), system, statement); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Measure(t.Context(), "unchanged"); !errors.Is(err, bench.ErrUntrue) {
		t.Errorf("%s: nobody noticed %s: %v", system, statement, err)
	}
}
