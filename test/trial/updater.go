package trial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Updater is one replica: a place in which an updater process runs, is killed, and runs again, with one configuration.
// Safe for concurrent use.
type Updater struct {
	Name   string
	binary string
	config string
	log    string
	env    []string // beside that of this program
	port   int
	score  *Score

	mu      sync.Mutex
	proc    *process
	wanted  bool // it should be running
	starts  int
	answers bool // it has answered since its start
}

// UpdaterOptions describe a replica.
type UpdaterOptions struct {
	Name, Binary string
	// Folder takes the configuration and the log.
	Folder string
	// Config is the configuration; its listen is set here.
	Config Config
	// Clock is the process's wall clock, if Binary was made by [BuildShifted]; nil: the machine's.
	Clock *Clock
}

// NewUpdater writes the configuration; nothing runs yet. Score counts the process's deaths.
func NewUpdater(o UpdaterOptions, score *Score) (*Updater, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	u := &Updater{
		Name: o.Name, binary: o.Binary, port: port, score: score,
		config: filepath.Join(o.Folder, o.Name+".yaml"), log: filepath.Join(o.Folder, o.Name+".log"),
	}
	if o.Clock != nil {
		u.env = []string{o.Clock.Env()}
	}
	o.Config.Listen = "127.0.0.1:" + strconv.Itoa(port)
	return u, o.Config.write(u.config)
}

// Log names the file that takes the process's output.
func (u *Updater) Log() string { return u.log }

// Address is the host:port it listens on.
func (u *Updater) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(u.port)) }

// Start starts the process if it does not run.
func (u *Updater) Start() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wanted = true
	if u.proc != nil && u.proc.running() {
		return nil
	}
	return u.spawn()
}

// spawn is called with mu held.
func (u *Updater) spawn() error {
	proc, err := launch(nil, u.env, u.log, "KILL", u.binary, "run", "--config", u.config)
	if err != nil {
		return err
	}
	u.proc, u.answers = proc, false
	u.starts++
	return nil
}

// PeakMemory is the most resident memory that the process has had, in bytes.
func (u *Updater) PeakMemory() (int64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.proc == nil {
		return 0, fmt.Errorf("measuring the memory of %s: it was not started", u.Name)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", u.proc.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("measuring the memory of %s: %w", u.Name, err)
	}
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("measuring the memory of %s: /proc does not tell", u.Name)
}

// Starts is how often a process was started here.
func (u *Updater) Starts() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.starts
}

// Kill is kill -9. It waits for the end.
func (u *Updater) Kill() error { return u.end(syscall.SIGKILL) }

// Terminate has the process end in order, and waits for it.
func (u *Updater) Terminate() error { return u.end(syscall.SIGTERM) }

func (u *Updater) end(sig syscall.Signal) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wanted = false
	if u.proc == nil || !u.proc.running() {
		return nil
	}
	if err := u.proc.end(sig, 20*time.Second); err != nil {
		return fmt.Errorf("ending %s: %w", u.Name, err)
	}
	return nil
}

// Pause stops the process in the middle of whatever it does (SIGSTOP), until [Updater.Wake].
func (u *Updater) Pause() error { return u.signal(syscall.SIGSTOP) }

// Wake lets a paused process go on.
func (u *Updater) Wake() error { return u.signal(syscall.SIGCONT) }

func (u *Updater) signal(sig syscall.Signal) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.proc == nil {
		return nil
	}
	return u.proc.signal(sig)
}

// Supervise starts the process again when it has ended by itself, as a service manager would, until ctx ends. One that
// could not begin, because the database is away, does that; the death of one that worked is a loss.
func (u *Updater) Supervise(ctx context.Context) error {
	for pause(ctx, 500*time.Millisecond) == nil {
		if err := u.look(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (u *Updater) look(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.wanted || u.proc == nil {
		return nil
	}
	if u.proc.running() {
		if !u.answers {
			// Briefly: the process may be paused, and whoever is to wake it needs the lock.
			brief, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := u.Metrics(brief)
			u.answers = err == nil
		}
		return nil
	}
	code := u.proc.cmd.ProcessState.ExitCode()
	if u.answers || code != exitFailed {
		u.score.Losef(Deaths, "%s ended by itself with code %d; its log: %s", u.Name, code, u.log)
	}
	u.score.Looked("starts that failed and were repeated", 1)
	return u.spawn()
}

// The updater's exit codes: nothing refreshed or no database; some clusters failed.
const (
	exitFailed  = 1
	exitPartial = 3
)

// Once runs `updater --once` beside the daemons, with the replica's configuration. That clusters fail in a storm is no
// error of it.
func (u *Updater) Once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, u.binary, "--once", "--config", u.config) //nolint:gosec // the updater on trial
	cmd.Env = append(os.Environ(), u.env...)
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && (exit.ExitCode() == exitFailed || exit.ExitCode() == exitPartial) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("running updater --once: %w\n%s", err, out)
	}
	return nil
}

// ApplySchema makes the tables.
func (u *Updater) ApplySchema(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, u.binary, "schema", "apply", "--config", u.config) //nolint:gosec // the updater on trial
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making the tables: %w\n%s", err, out)
	}
	return nil
}
