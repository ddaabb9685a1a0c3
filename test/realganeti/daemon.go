package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// configuration is what each updater runs with. A short schedule makes the trial quick; first_byte is a little more than
// the 30 s after which RAPI reports a stopped luxid; the guard lets 12 instances go at once, which is half of them.
const configuration = `database_url: %q
schedule: "@every 2s"
refresh_budget: off
schedules: {group: "@every 2s", network: "@every 2s", job: "@every 2s"}
timeouts: {first_byte: 35s, total: 70s}
guard: {max_percent: 60}
listen: ""
log: {format: json}
clusters:
  - name: e2e
    rapi: [%s]
    username: gwm
    password_file: %s
    tls: {pin_sha256: %s}
`

// cache is one updater under trial, with its database.
type cache struct {
	name   string
	store  *store
	ledger ledger
	cmd    *exec.Cmd
	done   chan error
	log    string // file of its log
}

// startUpdater runs the program on a database of its own; its files go below dir.
func startUpdater(ctx context.Context, program, url, dir string, addresses []string, password, pin string) (*cache, error) {
	name, _, _ := strings.Cut(url, ":")
	c := &cache{name: name, log: filepath.Join(dir, name+".log"), done: make(chan error, 1)}
	file := filepath.Join(dir, name+".yaml")
	quoted := make([]string, len(addresses))
	for i, a := range addresses {
		quoted[i] = fmt.Sprintf("%q", "https://"+a+":"+rapiPort)
	}
	text := fmt.Sprintf(configuration, url, strings.Join(quoted, ", "), password, pin)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil { //nolint:gosec // the trial's directory
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	var err error
	if c.store, err = open(url); err != nil {
		return nil, err
	}
	log, err := os.Create(c.log)
	if err != nil {
		return nil, fmt.Errorf("making the updater's log: %w", err)
	}
	c.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, "run", "--config", file) //nolint:gosec // the program under trial
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is for the trial alone
	if err := c.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", program, err), log.Close())
	}
	go func() { c.done <- errors.Join(c.cmd.Wait(), log.Close()) }()
	return c, nil
}

// awaitFirst waits until the updater has finished a refresh: then the tables are there, and nobody changes them any more.
func (c *cache) awaitFirst(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		r, _, err := c.refreshesAfter(0)
		if err != nil {
			return err
		}
		if r.good+r.countFailed() > 0 {
			return nil
		}
		if err := pause(limited, lookAgain); err != nil {
			return fmt.Errorf("waiting for the first refresh of the updater on %s (its log: %s): %w", c.name, c.log, err)
		}
	}
}

// stop ends the updater as systemd would; it has to end by itself, and with status 0.
func (c *cache) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the updater on %s: %w", c.name, errors.Join(err, <-c.done))
	}
	select {
	case err := <-c.done:
		if err != nil {
			return fmt.Errorf("the updater on %s, told to stop: %w", c.name, err)
		}
		return c.store.db.Close()
	case <-time.After(30 * time.Second):
		return fmt.Errorf("the updater on %s did not stop within 30 s: %w", c.name, c.cmd.Process.Kill())
	}
}

// refreshes are counted from the log: one line for each.
type refreshes struct {
	good   int
	failed map[string]int // by reason
}

// refreshesAfter reads the log from an offset on.
func (c *cache) refreshesAfter(offset int64) (r refreshes, end int64, err error) {
	r.failed = map[string]int{}
	f, err := os.Open(c.log) //nolint:gosec // the trial's own file
	if err != nil {
		return r, 0, fmt.Errorf("reading the updater's log: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return r, 0, fmt.Errorf("reading the updater's log: %w", err)
	}
	end = offset
	for in := bufio.NewReader(f); ; {
		line, err := in.ReadBytes('\n')
		if err != nil { // a line that is not complete yet belongs to the next reading
			return r, end, nil
		}
		end += int64(len(line))
		r.count(line)
	}
}

func (r *refreshes) count(line []byte) {
	var entry struct{ Msg, Reason string }
	if json.Unmarshal(line, &entry) != nil {
		return // what is not JSON is no line of a refresh
	}
	switch entry.Msg {
	case "refreshed":
		r.good++
	case "refresh failed":
		r.failed[entry.Reason]++
	}
}

// countFailed is how many refreshes failed, whatever the reason.
func (r *refreshes) countFailed() int {
	n := 0
	for _, times := range r.failed {
		n += times
	}
	return n
}
