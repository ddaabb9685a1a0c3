// Package measure runs a program that does one round of work for each line of its standard input and prints one JSON
// value for it, and says what each round cost: time, CPU and memory, as Linux counts them below /proc.
//
// A round ends with the last byte of its value, printed on one line or indented. One [Process] is for one goroutine.
package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Options say what to run.
type Options struct {
	// Name is for errors.
	Name string
	// Command is the program and its arguments.
	Command []string
	// Dir is its working directory; "" means this process's own.
	Dir string
	// Env is added to this process's environment.
	Env []string
	// Log is the file that takes its standard error, which errors quote. It is appended to.
	Log string
}

// Process is a running program that waits for its next line.
type Process struct {
	name, log string
	cmd       *exec.Cmd
	stdin     io.WriteCloser
	stdout    io.Reader
	idle      int64
	answer    []byte // of the last round; its memory is used again
	buffer    []byte
}

// Round is what one line cost.
type Round struct {
	// Wall is from just before the line was written to just after the last byte of the answer was read.
	Wall time.Duration
	// CPU is the time that all threads of the process ran, in user and system mode. Its children's is not in it.
	CPU time.Duration
	// Peak is by how many bytes the resident memory rose at most above that of the idle process before its first round.
	Peak int64
	// Answer is the JSON value. It holds until the next round.
	Answer []byte
}

// Start starts a program and returns when it rests, waiting for its first line. It ends with ctx, with [Process.Close], or,
// as its standard input does, with this process.
func Start(ctx context.Context, o Options) (*Process, error) {
	log, err := os.OpenFile(o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", o.Name, err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, o.Command[0], o.Command[1:]...) //nolint:gosec // the caller's program is what is measured
	cmd.Dir, cmd.Stderr, cmd.Env = o.Dir, log, append(os.Environ(), o.Env...)
	// An interrupt at the terminal must reach the program through us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &Process{name: o.Name, log: o.Log, cmd: cmd, buffer: make([]byte, 1<<16)}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("preparing %s: %w", o.Name, err)
	}
	if p.stdout, err = cmd.StdoutPipe(); err != nil {
		return nil, fmt.Errorf("preparing %s: %w", o.Name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", o.Name, err)
	}
	if err := p.settle(ctx); err != nil {
		return nil, errors.Join(p.failed(err), p.Close())
	}
	return p, nil
}

// The pace at which settle looks, and how often in a row a resting process must not have run.
const (
	settleEvery = 20 * time.Millisecond
	settleLooks = 10
	settleLimit = time.Minute
)

// settle waits until the process has stopped running by itself, and takes its memory then.
func (p *Process) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	last, quiet := time.Duration(-1), 0
	for quiet < settleLooks {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until it rests: %w", ctx.Err())
		case <-tick.C:
		}
		cpu, err := cpuTime(p.cmd.Process.Pid)
		if err != nil {
			return err
		}
		// A runtime looks after its memory and timers now and then; that is rest.
		if quiet++; last < 0 || cpu-last > settleEvery/20 {
			quiet = 0
		}
		last = cpu
	}
	var err error
	p.idle, err = resident(p.cmd.Process.Pid)
	return err
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Idle is the resident memory of the process before its first round, in bytes.
func (p *Process) Idle() int64 { return p.idle }

// Round gives the process a line and waits for the answer. After an error the process is of no more use.
func (p *Process) Round(line string) (Round, error) {
	pid := p.cmd.Process.Pid
	if err := resetPeak(pid); err != nil {
		return Round{}, p.failed(err)
	}
	before, err := cpuTime(pid)
	if err != nil {
		return Round{}, p.failed(err)
	}
	began := time.Now()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		return Round{}, p.failed(fmt.Errorf("asking for a round: %w", err))
	}
	if err := p.read(); err != nil {
		return Round{}, p.failed(fmt.Errorf("reading the end of a round: %w", err))
	}
	r := Round{Wall: time.Since(began), Answer: p.answer}
	after, err := cpuTime(pid)
	if err != nil {
		return Round{}, p.failed(err)
	}
	peak, err := peakResident(pid)
	if err != nil {
		return Round{}, p.failed(err)
	}
	r.CPU, r.Peak = after-before, max(peak-p.idle, 0)
	return r, nil
}

// read takes bytes until they are an answer. It decodes nothing, so that a long answer does not wait for its reader.
func (p *Process) read() error {
	p.answer = p.answer[:0]
	for !whole(p.answer) {
		n, err := p.stdout.Read(p.buffer)
		p.answer = append(p.answer, p.buffer[:n]...)
		if err != nil {
			return err
		}
	}
	return nil
}

// whole says whether text ends with the last line of a JSON array or object: one that is not indented and ends with its
// bracket.
func whole(text []byte) bool {
	text, ok := bytes.CutSuffix(text, []byte("\n"))
	if !ok || len(text) == 0 {
		return false
	}
	line := text[bytes.LastIndexByte(text, '\n')+1:]
	if len(line) == 0 || line[0] == ' ' || line[0] == '\t' {
		return false
	}
	end := line[len(line)-1]
	return end == ']' || end == '}'
}

// patience is how long a process may take to end by itself.
const patience = 20 * time.Second

// Close ends the process by ending its standard input, and waits. One that does not end is killed; that, and an exit code
// other than 0, is an error.
func (p *Process) Close() error {
	stop := time.AfterFunc(patience, func() { p.kill() })
	defer stop.Stop()
	err := p.stdin.Close()
	if _, drained := io.Copy(io.Discard, p.stdout); drained != nil {
		err = errors.Join(err, drained)
	}
	if err = errors.Join(err, p.cmd.Wait()); err != nil {
		return p.failed(fmt.Errorf("ending: %w", err))
	}
	return nil
}

// kill ends a process that may have ended meanwhile.
func (p *Process) kill() {
	if p.cmd.Process.Kill() != nil {
		return
	}
}

// failed adds the name of the process and the end of its log.
func (p *Process) failed(err error) error {
	text, readErr := os.ReadFile(p.log)
	if readErr != nil {
		return errors.Join(fmt.Errorf("%s: %w", p.name, err), readErr)
	}
	const tail = 2000
	text = bytes.TrimSpace(text[max(len(text)-tail, 0):])
	return fmt.Errorf("%s: %w\n%s", p.name, err, text)
}
