package main

import (
	"bytes"
	"context"
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
	began          time.Time
	cpu, kernel    string
	memory         uint64 // bytes
	updater, flags string
}

func describeMachine(ctx context.Context, o options) machine {
	m := machine{
		began: time.Now().UTC(), flags: o.String(), cpu: procField("/proc/cpuinfo", "model name"), kernel: "unknown", updater: "unknown",
	}
	if _, err := fmt.Sscanf(procField("/proc/meminfo", "MemTotal"), "%d kB", &m.memory); err == nil {
		m.memory <<= 10
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.kernel = strings.TrimSpace(string(text))
	}
	if text, err := exec.CommandContext(ctx, o.updater, "version").Output(); err == nil { //nolint:gosec // the program that is measured
		first, _, _ := bytes.Cut(text, []byte("\n"))
		m.updater = strings.TrimPrefix(string(first), "updater ")
	}
	return m
}

// procField is the value of the first line "name : value" of one of the kernel's files.
func procField(file, name string) string {
	all, err := os.ReadFile(file) //nolint:gosec // one of the kernel's
	if err != nil {
		return "unknown"
	}
	for l := range strings.Lines(string(all)) {
		if key, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// lines are the machine as the documents say it.
func (m machine) lines() []string {
	return []string{
		"date: " + m.began.Format("2006-01-02 15:04 UTC"),
		fmt.Sprintf("machine: %s, %d cores, %s of memory, Linux %s", m.cpu, runtime.NumCPU(), humanize.IBytes(m.memory), m.kernel),
		"arguments: `" + m.flags + "`",
		"updater: " + m.updater,
		"Go of the benchmark: " + strings.TrimPrefix(runtime.Version(), "go"),
	}
}
