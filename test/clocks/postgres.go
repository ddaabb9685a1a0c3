package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"ganeticache/db"
	"ganeticache/test/pgprograms"
)

// server is a PostgreSQL server whose clock can be set, where its library is preloaded.
type server struct {
	bin, dir string
	port     int
	attr     *syscall.SysProcAttr
	cmd      *exec.Cmd
	// clock is the file that libfaketime reads; "" for a server with the machine's own clock.
	clock string
}

// fakeLibrary finds Debian's libfaketime.
func fakeLibrary() (string, error) {
	found, err := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if err != nil || len(found) == 0 {
		return "", errors.New("libfaketime was not found; install it: apt-get install faketime")
	}
	return found[0], nil
}

func newServer(ctx context.Context, dir string, faked bool) (*server, error) {
	bin, err := pgprograms.Dir()
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, dir: dir, attr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}
	if s.port, err = freePort(ctx); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of a server: %w", err)
	}
	if err := pgprograms.DropRoot(s.attr, dir); err != nil {
		return nil, err
	}
	if faked {
		s.clock = dir + ".clock"
		if err := s.set(0); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// set sets the server's clock.
func (s *server) set(by time.Duration) error {
	text := fmt.Sprintf("%+d\n", int64(by/time.Second))
	if err := os.WriteFile(s.clock+".new", []byte(text), 0o644); err != nil { //nolint:gosec // the server's user reads it
		return fmt.Errorf("setting the server's clock: %w", err)
	}
	return os.Rename(s.clock+".new", s.clock)
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

func (s *server) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...) //nolint:gosec // an installed program
	cmd.SysProcAttr, cmd.Dir = s.attr, s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running %s: %w\n%s", program, err, out)
	}
	return nil
}

func (s *server) initialize(ctx context.Context) error {
	return s.run(ctx, "initdb", "--pgdata="+s.data(), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
}

// start starts the server and waits until it answers.
func (s *server) start(ctx context.Context) error {
	s.cmd = exec.CommandContext(ctx, filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir, "-p", strconv.Itoa(s.port), //nolint:gosec // likewise
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "hot_standby_feedback=on")
	s.cmd.SysProcAttr, s.cmd.Dir = s.attr, s.dir
	if s.clock != "" {
		library, err := fakeLibrary()
		if err != nil {
			return err
		}
		s.cmd.Env = append(os.Environ(), "LD_PRELOAD="+library, "FAKETIME_TIMESTAMP_FILE="+s.clock, "FAKETIME_NO_CACHE=1",
			"FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_RESET=1")
	}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("starting a server: %w", err)
	}
	return await(ctx, time.Minute, func() error {
		store, err := db.Open(ctx, s.url(), db.Options{MaxConns: 1})
		if err != nil {
			return err
		}
		return store.Close()
	})
}

func (s *server) url() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

// kill ends the server at once.
func (s *server) kill() {
	if s.cmd != nil && s.cmd.Process != nil && s.cmd.ProcessState == nil {
		s.cmd.Process.Signal(syscall.SIGQUIT) //nolint:errcheck,gosec // it may be gone
		s.cmd.Wait()                          //nolint:errcheck,gosec // likewise
	}
}

// await tries a condition until it holds.
func await(ctx context.Context, limit time.Duration, condition func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %v: %w", limit, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("no port in %s", l.Addr())
	}
	return at.Port, nil
}
