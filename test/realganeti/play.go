package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// trial is the cluster, and the updaters that watch it.
type trial struct {
	rapi   *rapi
	master node
	caches []*cache
	// users are the lines of RAPI's users file, password the file with the updaters' own password.
	users        []string
	passwordFile string
}

// play runs the whole trial inside of the cluster's namespace and reports whether anything was lost.
func play(ctx context.Context, o options, stdout io.Writer) (lost bool, err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return false, fmt.Errorf("reading -only: %w", err)
	}
	dir := filepath.Join(os.Getenv("E2E_ROOT"), "trial")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil { //nolint:gosec // PostgreSQL's user passes through
		return false, fmt.Errorf("making the trial's directory: %w", err)
	}
	t, stop, err := prepare(ctx, o, dir)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return false, err
	}
	var outcomes []outcome
	for _, st := range steps() {
		if st.name != firstStep && !only.MatchString(st.name) {
			continue
		}
		fmt.Fprintf(stdout, "%s … ", st.name)
		out := (&scene{trial: t, step: st}).run(ctx)
		outcomes = append(outcomes, out)
		fmt.Fprintf(stdout, "%.1f s, %d refreshes, %d losses\n", out.took.Seconds(), out.refreshes, len(out.losses()))
		if ctx.Err() != nil {
			break
		}
	}
	writeTable(stdout, outcomes)
	return writeLosses(stdout, outcomes) > 0 || ctx.Err() != nil, nil
}

// prepare fills the cluster, then starts PostgreSQL and the updaters. What it returns stops them again, also after an error.
func prepare(ctx context.Context, o options, dir string) (t *trial, stop func() error, err error) {
	var stops []func() error
	stop = func() error {
		var errs []error
		for _, stop := range slices.Backward(stops) {
			errs = append(errs, stop())
		}
		return errors.Join(errs...)
	}
	t = &trial{master: nodeNumber(1), passwordFile: filepath.Join(dir, "password")}
	admin, own := rand.Text(), rand.Text()
	t.users = []string{"gwm " + own, "admin " + admin + " write"}
	pin, err := t.master.pin()
	if err != nil {
		return nil, stop, err
	}
	if err := errors.Join(t.writeUsers(t.users), writePassword(t.passwordFile, own)); err != nil {
		return nil, stop, err
	}
	t.rapi = newRAPI(t.master.addr, pin, admin)
	if err := t.populate(ctx, o.instances); err != nil {
		return nil, stop, err
	}
	var urls []string
	if o.database != "postgres" {
		urls = append(urls, "sqlite:"+filepath.Join(dir, "cache.db"))
	}
	if o.database != "sqlite" {
		url, stopPostgres, err := startPostgres(ctx, filepath.Join(dir, "pg"))
		if err != nil {
			return nil, stop, err
		}
		stops = append(stops, stopPostgres)
		urls = append(urls, url)
	}
	addresses := []string{nodeNumber(1).addr, nodeNumber(2).addr}
	for _, url := range urls {
		c, err := startUpdater(ctx, o.updater, url, dir, addresses, t.passwordFile, pin)
		if err != nil {
			return nil, stop, err
		}
		stops = append(stops, c.stop)
		t.caches = append(t.caches, c)
	}
	for _, c := range t.caches {
		if err := c.awaitFirst(ctx); err != nil {
			return nil, stop, err
		}
	}
	return t, stop, nil
}

// populate waits until RAPI has read the users file, and fills the cluster.
func (t *trial) populate(ctx context.Context, instances int) error {
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		_, err := t.rapi.list(limited, "/2/nodes")
		if err == nil {
			break
		}
		if pause(limited, lookAgain) != nil {
			return fmt.Errorf("waiting for RAPI: %w", err)
		}
	}
	return populate(ctx, t.rapi, instances)
}

func writePassword(file, password string) error {
	return os.WriteFile(file, []byte(password+"\n"), 0o600) //nolint:gosec // the trial's directory
}

// writeUsers replaces the users file of every node: Ganeti does not copy it to the next master.
func (t *trial) writeUsers(lines []string) error {
	return errors.Join(nodeNumber(1).writeUsers(lines...), nodeNumber(2).writeUsers(lines...))
}
