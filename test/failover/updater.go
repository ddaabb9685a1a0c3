package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"ganeticache/ganeti/rapisim"
)

// updater is the daemon on trial. It is started once: coming back is its own business.
type updater struct {
	cmd *exec.Cmd
	log string
	// ended is closed when the process is gone; err is how.
	ended chan struct{}
	err   error
}

// startUpdater writes a configuration of the clusters and starts the daemon with it.
func startUpdater(ctx context.Context, program, dir, databaseURL string, farm *rapisim.Farm) (*updater, error) {
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("secret"), 0o600); err != nil {
		return nil, fmt.Errorf("writing the password: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "database_url: %q\nschedule: \"@every 1s\"\nrefresh_budget: off\nlisten: \"\"\nconcurrency: 10\nlog: {format: json}\nclusters:\n", databaseURL)
	for _, s := range farm.Servers() {
		fmt.Fprintf(&b, "  - {name: %s, rapi: %q, username: gwm, password_file: %q, tls: {pin_sha256: %q}}\n",
			s.Cluster().Name(), s.URL(), password, s.Pin())
	}
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	u := &updater{log: filepath.Join(dir, "updater.log"), ended: make(chan struct{})}
	log, err := os.Create(u.log)
	if err != nil {
		return nil, fmt.Errorf("making the updater's log: %w", err)
	}
	u.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, "--config", file) //nolint:gosec // the program on trial
	u.cmd.Stdout, u.cmd.Stderr = log, log
	// It must not outlive the trial, however that ends.
	u.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := u.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s (run make build): %w", program, err)
	}
	go func() {
		u.err = u.cmd.Wait()
		log.Close() //nolint:gosec // the process wrote it
		close(u.ended)
	}()
	return u, nil
}

// running returns an error when the process has ended.
func (u *updater) running() error {
	select {
	case <-u.ended:
		log, _ := os.ReadFile(u.log) //nolint:errcheck // our own file
		return fmt.Errorf("the updater ended by itself: %w\n%s", u.err, log[max(0, len(log)-4000):])
	default:
		return nil
	}
}

// stop asks the process to end and waits.
func (u *updater) stop() error {
	if err := u.running(); err != nil {
		return err
	}
	if err := u.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the updater: %w", err)
	}
	<-u.ended
	if u.err != nil {
		return fmt.Errorf("the updater ended badly: %w", u.err)
	}
	return nil
}

// kill ends the process if it still runs.
func (u *updater) kill() {
	u.cmd.Process.Kill() //nolint:errcheck,gosec // it may be gone
	<-u.ended
}

// lines counts those of the log that hold all the words.
func (u *updater) lines(words ...string) (int, error) {
	log, err := os.ReadFile(u.log)
	if err != nil {
		return 0, fmt.Errorf("reading the updater's log: %w", err)
	}
	n := 0
	for line := range bytes.Lines(log) {
		all := true
		for _, word := range words {
			all = all && bytes.Contains(line, []byte(word))
		}
		if all {
			n++
		}
	}
	return n, nil
}
