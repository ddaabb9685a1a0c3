package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// process is a child that dies with this program, in whatever way that ends.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended; err is set then
	err  error
}

// guard waits for a line, which says that the child has ended. The end of its input without one is the end of this
// program: then it ends the child. $1 is the signal, $2 the child.
const guard = `read -r _ && exit 0; kill -s "$1" "$2"`

// launch starts a program with its output appended to logFile. attr may be nil; env is added to this program's own; last is
// the signal (KILL, QUIT) it gets when this program dies.
func launch(attr *syscall.SysProcAttr, env []string, logFile, last, name string, args ...string) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // a name of our own
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer log.Close()
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Setpgid = true                                             // an interrupt at the terminal must reach the child through us
	cmd := exec.CommandContext(context.Background(), name, args...) //nolint:gosec // the trial's own programs
	cmd.SysProcAttr, cmd.Stdout, cmd.Stderr, cmd.Env = attr, log, log, append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	if err := p.watch(last); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	return p, nil
}

// watch starts the guardian, and waits for the child's end beside everything else.
func (p *process) watch(last string) error {
	g := exec.CommandContext(context.Background(), "/bin/sh", "-c", guard, "sh", last, strconv.Itoa(p.cmd.Process.Pid)) //nolint:gosec // our own script
	g.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := g.StdinPipe()
	if err == nil {
		err = g.Start()
	}
	if err != nil {
		return fmt.Errorf("starting the guardian of %s: %w", p.cmd.Path, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		_, dismiss := io.WriteString(stdin, "\n")
		p.err = errors.Join(p.err, dismiss, g.Wait())
		close(p.done)
	}()
	return nil
}

// running says whether the child has not ended yet; a stopped one has not.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends sig; a child that has ended meanwhile is none the worse for it.
func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %s to process %d: %w", sig, p.cmd.Process.Pid, err)
	}
	return nil
}

// end sends sig and waits for the end; a child that takes longer than patience is killed, which is an error.
func (p *process) end(sig syscall.Signal, patience time.Duration) error {
	if err := p.signal(sig); err != nil {
		return err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	err := fmt.Errorf("process %d (%s) did not end within %s of %s", p.cmd.Process.Pid, p.cmd.Path, patience, sig)
	if killed := p.signal(syscall.SIGKILL); killed != nil {
		return errors.Join(err, killed)
	}
	<-p.done
	return err
}

// Program is another program that a trial needs beside its updaters and databases. It dies with the trial.
type Program struct{ proc *process }

// StartProgram starts one with its output appended to logFile.
func StartProgram(logFile, name string, args ...string) (*Program, error) {
	proc, err := launch(nil, nil, logFile, "KILL", name, args...)
	if err != nil {
		return nil, err
	}
	return &Program{proc}, nil
}

// Running says whether it has not ended yet.
func (p *Program) Running() bool { return p.proc.running() }

// Terminate has it end in order, and waits for that.
func (p *Program) Terminate() error { return p.proc.end(syscall.SIGTERM, 20*time.Second) }

// pause waits; the error is that ctx ended first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
