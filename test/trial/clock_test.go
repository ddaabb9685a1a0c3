package trial_test

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"ganeticache/test/trial"
)

// TestClock: a program that was built for it sees the clock it is given, and the kernel's where it is given none.
func TestClock(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go here to build a program with")
	}
	folder := t.TempDir()
	program, err := trial.BuildShifted(t.Context(), "./testdata/now", folder)
	if err != nil {
		t.Fatal(err)
	}
	clock, err := trial.NewClock(folder, "one")
	if err != nil {
		t.Fatal(err)
	}
	for _, shift := range []time.Duration{0, time.Second, time.Hour, -time.Hour, 40 * 24 * time.Hour, 4 * 365 * 24 * time.Hour} {
		if err := clock.Shift(shift); err != nil {
			t.Fatal(err)
		}
		before := time.Now().Add(shift).Truncate(time.Second)
		got := shown(t, program, clock.Env())
		if after := time.Now().Add(shift); got.Before(before) || got.After(after) {
			t.Errorf("shifted by %s it is %s, want between %s and %s", shift, got, before, after)
		}
	}
	if off := time.Until(shown(t, program, "NO_CLOCK=")).Abs(); off > time.Minute {
		t.Errorf("without a clock of its own it is off by %s", off)
	}
}

// shown is the time that a program prints.
func shown(t *testing.T, program, env string) time.Time {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), env)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseInt(string(out), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}
