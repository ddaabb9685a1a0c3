package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"ganeticache/test/pgprograms"
)

// startPostgres makes a private PostgreSQL in dir, reached through a unix socket, and returns its URL and what stops it.
// As root it runs as the user postgres (or nobody), because PostgreSQL refuses to be root.
func startPostgres(ctx context.Context, dir string) (url string, stop func() error, err error) {
	bin, err := pgprograms.Dir()
	if err != nil {
		return "", nil, fmt.Errorf("%w, or try with -database sqlite", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil { //nolint:gosec // the trial's directory
		return "", nil, fmt.Errorf("making PostgreSQL's directory: %w", err)
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	if err := pgprograms.DropRoot(attr, dir); err != nil {
		return "", nil, fmt.Errorf("giving %s to PostgreSQL: %w", dir, err)
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata="+data, "--username=postgres", //nolint:gosec // an installed program
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("making a database cluster: %w\n%s", err, out)
	}
	server := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(bin, "postgres"), "-D", data, "-k", dir, //nolint:gosec // an installed program
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "logging_collector=off")
	server.SysProcAttr, server.Dir = attr, dir
	log, err := os.Create(filepath.Join(dir, "log")) //nolint:gosec // our own directory
	if err != nil {
		return "", nil, fmt.Errorf("making PostgreSQL's log: %w", err)
	}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return "", nil, errors.Join(fmt.Errorf("starting PostgreSQL: %w", err), log.Close())
	}
	stop = func() error {
		return errors.Join(server.Process.Signal(syscall.SIGQUIT), ignoreExit(server.Wait()), log.Close())
	}
	url = "postgres:///postgres?user=postgres&sslmode=disable&host=" + dir
	if err := waitPostgres(ctx, url); err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return url, stop, nil
}

func waitPostgres(ctx context.Context, url string) error {
	s, err := open(url)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err = s.db.PingContext(ctx); err == nil {
			return s.db.Close()
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return errors.Join(fmt.Errorf("waiting for PostgreSQL: %w", err), s.db.Close())
		}
	}
}

// ignoreExit drops the exit status of a process that ended by the signal it was sent.
func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}
