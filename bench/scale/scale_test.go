package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"go.yaml.in/yaml/v3"

	scale "ganeticache/bench/scale"
)

// spoil has the test program be an updater that spoils a row after each round; its value is the real one.
const spoil = "SCALE_TEST_SPOIL"

// TestMain lets the program run itself again, as it does outside of tests, and stands for an updater when told so.
func TestMain(m *testing.M) {
	args := os.Args[1:]
	updater := os.Getenv(spoil)
	switch {
	case len(args) > 0 && (args[0] == "simulate" || args[0] == "download"):
		os.Exit(scale.Run(args, os.Stdin, os.Stdout, os.Stderr))
	case len(args) > 0 && args[0] == "version":
		fmt.Fprintln(os.Stdout, "updater of the test")
	case updater != "":
		if err := spoilt(updater, args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// spoilt passes each line on to the real updater, and makes a row of the database wrong before it passes the answer back.
func spoilt(updater string, args []string) error {
	cmd := exec.CommandContext(context.Background(), updater, args...)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return err
	}
	answers := json.NewDecoder(out)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if _, err := io.WriteString(in, lines.Text()+"\n"); err != nil {
			return err
		}
		var answer json.RawMessage
		if err := errors.Join(answers.Decode(&answer), spoilRow(args[slices.Index(args, "--config")+1])); err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "%s\n", answer)
	}
	return errors.Join(in.Close(), cmd.Wait())
}

func spoilRow(config string) error {
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	var c struct {
		URL string `yaml:"database_url"`
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		return err
	}
	conn, err := sqlx.Open("postgres", c.URL)
	if err != nil {
		return err
	}
	_, err = conn.Exec("UPDATE virtual_machines SET status = 'wrong' WHERE name LIKE 'inst0001.%'")
	return errors.Join(err, conn.Close())
}

// build makes the updater that is shipped.
func build(tb testing.TB) string {
	tb.Helper()
	program := filepath.Join(tb.TempDir(), "updater")
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-buildvcs=false", "-o", program, "ganeticache/cmd/updater")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("building the updater: %v\n%s", err, out)
	}
	return program
}

// TestRun measures a small site and looks at what is written about it.
func TestRun(t *testing.T) {
	updater, results := build(t), t.TempDir()
	var out, log bytes.Buffer
	args := []string{"-updater", updater, "-clusters", "10", "-vms", "20", "-rounds", "1", "-out", results}
	if code := scale.Run(args, strings.NewReader(""), &out, &log); code != 0 {
		t.Fatalf("exit code %d\n%s", code, log.String())
	}
	written, err := os.ReadFile(filepath.Join(results, "scale.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 1 × 20 | 10 × 20 |", "| steady cycle, rows of objects written | 0 | 0 |", "| IP address |", "PostgreSQL: "} {
		if !strings.Contains(string(written), want) {
			t.Errorf("scale.md lacks %q:\n%s", want, written)
		}
	}
	if !strings.Contains(out.String(), "steady cycle, wall") {
		t.Errorf("the screen shows %s", out.String())
	}
}

// TestRun_NoticesWrongDatabase: figures of a database that does not hold the truth are worth nothing.
func TestRun_NoticesWrongDatabase(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(spoil, build(t))
	results := t.TempDir()
	var log bytes.Buffer
	args := []string{"-updater", self, "-clusters", "1", "-vms", "20", "-rounds", "1", "-out", results}
	if code := scale.Run(args, strings.NewReader(""), io.Discard, &log); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if !strings.Contains(log.String(), "the database differs from the clusters") {
		t.Errorf("it says %q", log.String())
	}
	if written, err := filepath.Glob(filepath.Join(results, "*")); err != nil || len(written) > 0 {
		t.Errorf("it wrote %v, %v", written, err)
	}
}

func TestRun_Usage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-vms", "9"}, {"-clusters", "0"}, {"-rounds", "0"}, {"-nonsense"}} {
		if code := scale.Run(args, strings.NewReader(""), io.Discard, io.Discard); code != 2 {
			t.Errorf("%v: exit code %d, want 2", args, code)
		}
	}
}
