package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"ganeticache/db"
	"ganeticache/test/pgprograms"
)

// server is a private PostgreSQL on a unix socket in a directory of its own.
type server struct {
	dir   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// supervise runs the server until its standard input ends: when the trial stops it, or dies in whatever way. $1 is the
// directory of the programs, $2 that of the server.
const supervise = `
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off \
	-c log_min_messages=fatal </dev/null >"$2/log" 2>&1 &
read -r _
kill -INT $!
wait $!
`

// startServer makes a server from the installed programs and waits until it answers.
func startServer(ctx context.Context, parent string) (*server, error) {
	bin, err := pgprograms.Dir()
	if err != nil {
		return nil, err
	}
	// The server's own user must be able to come in.
	if err := os.Chmod(parent, 0o711); err != nil { //nolint:gosec // others may pass, not look
		return nil, fmt.Errorf("opening the way to the server: %w", err)
	}
	s := &server{dir: filepath.Join(parent, "postgres")}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the server's directory: %w", err)
	}
	// A group of its own: an interrupt at the terminal must reach the server through us.
	attr := &syscall.SysProcAttr{Setpgid: true}
	if err := pgprograms.DropRoot(attr, s.dir); err != nil {
		return nil, err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), //nolint:gosec // an installed program
		"--pgdata="+filepath.Join(s.dir, "data"), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, s.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("making a database cluster: %w\n%s", err, out)
	}
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", supervise, "sh", bin, s.dir) //nolint:gosec // our own script
	s.cmd.SysProcAttr, s.cmd.Dir = attr, s.dir
	if s.stdin, err = s.cmd.StdinPipe(); err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	if err := s.wait(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *server) url(database string) string {
	return "postgres:///" + database + "?user=postgres&host=" + s.dir
}

func (s *server) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		store, err := db.Open(ctx, s.url("postgres"), db.Options{MaxConns: 1})
		if err == nil {
			return store.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for PostgreSQL (its log is %s): %w", filepath.Join(s.dir, "log"), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *server) stop() error {
	if err := s.stdin.Close(); err != nil {
		return fmt.Errorf("stopping PostgreSQL: %w", err)
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("waiting for the end of PostgreSQL: %w", err)
	}
	return nil
}
