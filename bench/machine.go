package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// machine says where, when and with what a run was made.
type machine struct {
	date time.Time
	cpu  string
	// cores are those that this process may use; memory is all of the machine's, in bytes.
	cores  int
	memory uint64
	kernel string
	// versions are those of the programs, by name.
	versions [][2]string
	command  string
}

func describeMachine(ctx context.Context, o options, s *server) (machine, error) {
	m := machine{date: time.Now().UTC(), cores: runtime.NumCPU(), command: strings.Join(os.Args[1:], " ")}
	m.cpu = field("/proc/cpuinfo", "model name")
	kb := field("/proc/meminfo", "MemTotal")
	if _, err := fmt.Sscanf(kb, "%d kB", &m.memory); err != nil {
		return m, fmt.Errorf("reading the machine's memory from %q: %w", kb, err)
	}
	m.memory <<= 10
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return m, fmt.Errorf("reading the kernel's version: %w", err)
	}
	m.kernel = strings.TrimSpace(string(kernel))
	postgres, err1 := s.version(ctx)
	updater, err2 := output(ctx, o.updater, "version")
	python, found := pythonWithModules(ctx)
	pythonVersion := "none with the modules"
	var err3 error
	if found {
		pythonVersion, err3 = output(ctx, python, "-c",
			"import platform, requests, psycopg2; print(platform.python_version() + ', requests ' + requests.__version__ + ', psycopg2 ' + psycopg2.__version__.split()[0])")
	}
	m.versions = [][2]string{
		{"updater", strings.TrimPrefix(updater, "updater ")}, {"Go of the bench", strings.TrimPrefix(runtime.Version(), "go")},
		{"PostgreSQL", postgres}, {"Python", pythonVersion},
	}
	return m, errors.Join(err1, err2, err3)
}

// output is the first line that a program prints.
func output(ctx context.Context, program string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, program, args...).Output() //nolint:gosec // the programs that are measured
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", program, err)
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	return string(bytes.TrimSpace(line)), nil
}

// field is the value of the first line "name : value" of a file; a file without it has none.
func field(file, name string) string {
	f, err := os.Open(file) //nolint:gosec // a file of the kernel's
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// lines are the machine as the documents say it.
func (m machine) lines() []string {
	lines := []string{
		"date: " + m.date.Format("2006-01-02 15:04 UTC"),
		fmt.Sprintf("machine: %s, %d cores, %s of memory, Linux %s", m.cpu, m.cores, humanize.IBytes(m.memory), m.kernel),
	}
	for _, v := range m.versions {
		lines = append(lines, v[0]+": "+v[1])
	}
	return append(lines, "arguments: `"+m.command+"`")
}
