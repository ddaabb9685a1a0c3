package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ganeticache/ganeti/rapisim"
)

// password is the RAPI password of the simulated clusters.
const password = "secret"

// writeConfig writes the updater's configuration for the farm, with further settings, and gives its path.
func writeConfig(dir, url string, farm *rapisim.Farm, settings string) (string, error) {
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return "", fmt.Errorf("writing the password: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "database_url: %q\nlisten: \"\"\n%sclusters:\n", url, settings)
	for i, s := range farm.Servers() {
		fmt.Fprintf(&b, "  - name: %s\n    rapi: %s\n    username: gwm\n    password_file: %s\n    tls: {pin_sha256: %q}\n",
			clusterName(i), s.URL(), secret, s.Pin())
	}
	path := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	return path, nil
}

func clusterName(i int) string { return fmt.Sprint("cluster", i+1) }

// process is one run of the updater.
type process struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	done   chan error
}

func start(ctx context.Context, updater string, args ...string) (*process, error) {
	p := &process{done: make(chan error, 1)}
	p.cmd = exec.CommandContext(ctx, updater, args...) //nolint:gosec // the program under trial
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	// Should the trial itself be killed, nothing of it stays.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the updater: %w", err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p, nil
}

// finish waits for the process to end by itself.
func (p *process) finish() error {
	if err := <-p.done; err != nil {
		return fmt.Errorf("an undisturbed run: %w\n%s", err, p.output.String())
	}
	return nil
}

// killAfter kills the process after that time, unless it has ended by then. It is frozen first, so that look sees the
// database as it is at the moment of death.
func (p *process) killAfter(d time.Duration, look func() error) (killed bool, err error) {
	select {
	case err := <-p.done:
		if err != nil {
			err = fmt.Errorf("a run that was to be killed: %w\n%s", err, p.output.String())
		}
		return false, err
	case <-time.After(d):
	}
	frozen := p.cmd.Process.Signal(syscall.SIGSTOP)
	if frozen == nil {
		err = look()
	}
	if killErr := p.cmd.Process.Kill(); killErr != nil && !errors.Is(killErr, os.ErrProcessDone) {
		err = errors.Join(err, fmt.Errorf("killing the updater: %w", killErr))
	}
	return <-p.done != nil, err
}

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("sending %s to the updater: %w\n%s", s, err, p.output.String())
	}
	return nil
}

// terminate tells a daemon to stop and waits for its end.
func (p *process) terminate() error {
	err := errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT))
	if exit := <-p.done; exit != nil {
		err = errors.Join(err, fmt.Errorf("the end of a daemon: %w", exit))
	}
	return err
}
