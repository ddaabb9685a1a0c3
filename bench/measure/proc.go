package measure

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// cpuTime sums the time that the threads of a process have run, to the nanosecond. The time of threads that have ended is
// lost with them; runtimes keep theirs.
func cpuTime(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("process %d has no threads below /proc: it has ended, or this is not Linux: %w", pid, os.ErrNotExist)
	}
	var sum time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // a name that the kernel gave
		if ended(err) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
		}
		ran, _, _ := bytes.Cut(text, []byte(" "))
		ns, err := strconv.ParseInt(string(ran), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", file, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// ended says whether a thread has ended since it was listed.
func ended(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// resetPeak has Linux count the highest resident memory anew, from the present one.
func resetPeak(pid int) error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		return fmt.Errorf("resetting the peak memory of process %d: %w", pid, err)
	}
	return nil
}

// resident is the memory of a process that is in RAM, in bytes.
func resident(pid int) (int64, error) { return status(pid, "VmRSS:") }

// peakResident is the highest resident memory since resetPeak, in bytes.
func peakResident(pid int) (int64, error) { return status(pid, "VmHWM:") }

// status reads a line in kB of /proc/PID/status.
func status(pid int, key string) (int64, error) {
	file := fmt.Sprintf("/proc/%d/status", pid)
	text, err := os.ReadFile(file) //nolint:gosec // a name of the kernel's
	if err != nil {
		return 0, fmt.Errorf("reading the memory of process %d: %w", pid, err)
	}
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) < 2 || string(fields[0]) != key {
			continue
		}
		kb, err := strconv.ParseInt(string(fields[1]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading %s of %s: %w", key, file, err)
		}
		return kb << 10, nil
	}
	return 0, fmt.Errorf("%s has no %s: the process has ended", file, key)
}
