package trial

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// shiftedClock is a file for Go's own package time; see BuildShifted.
//
//go:embed clock_shift.go.txt
var shiftedClock []byte

// clockVariable names the file with the offset of a shifted program's clock.
const clockVariable = "TRIAL_CLOCK"

// BuildShifted builds a program, such as ganeticache/cmd/updater, with a wall clock that a [Clock] moves, and returns its
// file in folder. A library that is
// loaded before it, such as libfaketime, cannot do that: Go asks the kernel by itself. So the program is the same but for
// one line of the standard library, in time.Now, which is replaced while it is built. Durations stay right, as they do when
// somebody sets a machine's clock.
func BuildShifted(ctx context.Context, pkg, folder string) (string, error) {
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("asking for Go's sources: %w", err)
	}
	sources := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time")
	original, err := os.ReadFile(filepath.Join(sources, "time.go")) //nolint:gosec // of the toolchain
	if err != nil {
		return "", fmt.Errorf("reading Go's sources: %w", err)
	}
	const asks = "sec, nsec, mono := runtimeNow()\n"
	head, now, found := strings.Cut(string(original), "func Now() Time {\n")
	if !found || strings.Count(now, asks) == 0 {
		return "", errors.New("time.Now of Go is written otherwise in this version: mend BuildShifted in test/trial/clock.go")
	}
	changed := head + "func Now() Time {\n" + strings.Replace(now, asks, asks+"\tsec += trialOffset.Load()\n", 1)
	overlay := map[string]map[string]string{"Replace": {
		filepath.Join(sources, "time.go"):        filepath.Join(folder, "time.go"),
		filepath.Join(sources, "trial_shift.go"): filepath.Join(folder, "trial_shift.go"),
	}}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	program := filepath.Join(folder, filepath.Base(pkg)+"-shifted")
	for name, content := range map[string][]byte{"time.go": []byte(changed), "trial_shift.go": shiftedClock, "overlay.json": text} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return "", fmt.Errorf("writing the overlay: %w", err)
		}
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-overlay", filepath.Join(folder, "overlay.json"), //nolint:gosec // our own files
		"-o", program, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s with another clock: %w\n%s", pkg, err, out)
	}
	return program, nil
}

// Clock is the wall clock of programs that [BuildShifted] made, those with its Env. They follow within 20 ms.
type Clock struct{ file string }

// NewClock makes a clock that goes right; its file goes into folder.
func NewClock(folder, name string) (*Clock, error) {
	c := &Clock{file: filepath.Join(folder, name+".clock")}
	if err := c.Shift(0); err != nil {
		return nil, err
	}
	return c, nil
}

// Env is what a program's environment needs.
func (c *Clock) Env() string { return clockVariable + "=" + c.file }

// Shift has the clock be ahead by so much (behind, where it is negative), in whole seconds.
func (c *Clock) Shift(by time.Duration) error {
	if by%time.Second != 0 {
		return fmt.Errorf("a clock is shifted by whole seconds, not by %s", by)
	}
	if err := os.WriteFile(c.file+".new", []byte(strconv.FormatInt(int64(by/time.Second), 10)), 0o600); err != nil {
		return fmt.Errorf("shifting a clock: %w", err)
	}
	return os.Rename(c.file+".new", c.file)
}
