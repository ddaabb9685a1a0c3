package dbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/test/pgprograms"
)

// server is the PostgreSQL of a test binary.
type server struct {
	// url of a database that exists; others are made beside it.
	url string
	// template is a migrated database to copy; "" on a server that is not our own, where nothing may be left behind.
	template string
	stop     func()

	mu   sync.Mutex
	next int
}

// theServer is started by the first test that needs it.
//
//nolint:gochecknoglobals // one server per test binary, whichever of its tests comes first
var theServer = struct {
	once sync.Once
	*server
	err error
}{}

const missing = `PostgreSQL's server programs (initdb, postgres) were not found, and these tests need them.
Install them (Debian, Ubuntu: apt-get install postgresql), or name a server in which the tests may create databases:
TEST_DATABASE_URL=postgres://user@host/postgres?sslmode=disable`

// Main runs the tests of a package and stops the PostgreSQL they started. Without it the server ends on its own, just
// after the test binary. Use it as TestMain's whole body. The checks run at the very end, when the tests passed: one that
// returns an error, such as goleak.Find, fails them.
func Main(m *testing.M, checks ...func() error) {
	code := m.Run()
	if theServer.server != nil {
		theServer.stop()
	}
	for _, check := range checks {
		if err := check(); code == 0 && err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// postgres returns the server; a test that needs PostgreSQL where there is none fails.
func postgres(tb testing.TB) *server {
	tb.Helper()
	theServer.once.Do(func() {
		if url := os.Getenv("TEST_DATABASE_URL"); url != "" {
			theServer.server = &server{url: url, stop: func() {}}
			return
		}
		theServer.server, theServer.err = start()
	})
	if theServer.err != nil {
		tb.Fatal(theServer.err)
	}
	return theServer.server
}

// supervise runs the server until its standard input ends, which it does when the test binary stops it or dies in
// whatever way; then nothing of the server remains. $1 is the directory of the programs, $2 that of the server.
const supervise = `
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=200 \
	-c shared_buffers=128MB -c max_wal_size=4GB -c autovacuum_naptime=1h -c log_min_messages=fatal \
	</dev/null >"$2/log" 2>&1 &
read -r _
kill -QUIT $!
wait $!
rm -rf "$2"
`

// start makes and starts a private server: a unix socket in a directory of its own, no durability.
func start() (*server, error) {
	bin, dir, attr, err := initialize()
	if err != nil {
		return nil, err
	}
	supervisor := exec.CommandContext(context.Background(), "/bin/sh", "-c", supervise, "sh", bin, dir) //nolint:gosec // our own script
	supervisor.SysProcAttr, supervisor.Dir = attr, dir
	stdin, err := supervisor.StdinPipe()
	if err == nil {
		err = supervisor.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting PostgreSQL: %w", err), os.RemoveAll(dir))
	}
	s := &server{url: "postgres:///postgres?user=postgres&host=" + dir, stop: stopper(supervisor, stdin)}
	if err := s.prepare(filepath.Join(dir, "log")); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// initialize makes a database cluster in a new directory. attr is what makes a program run as its owner.
func initialize() (bin, dir string, attr *syscall.SysProcAttr, err error) {
	switch bin, err = pgprograms.Dir(); {
	case errors.Is(err, pgprograms.ErrMissing):
		return "", "", nil, errors.New(missing)
	case err != nil:
		return "", "", nil, err
	}
	if dir, err = os.MkdirTemp("", "dbtest-"); err != nil {
		return "", "", nil, fmt.Errorf("making the server's directory: %w", err)
	}
	attr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal must reach the supervisor through us
	if err := pgprograms.DropRoot(attr, dir); err != nil {
		return "", "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	initdb := exec.CommandContext(context.Background(), filepath.Join(bin, "initdb"), //nolint:gosec // an installed program
		"--pgdata="+filepath.Join(dir, "data"), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", "", nil, errors.Join(fmt.Errorf("making a database cluster: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return bin, dir, attr, nil
}

func stopper(supervisor *exec.Cmd, stdin io.Closer) func() {
	return func() {
		if stdin.Close() == nil {
			supervisor.Wait() //nolint:errcheck,gosec // it ends with the signal that it sent
		}
	}
}

// prepare waits until the server answers and makes the template.
func (s *server) prepare(logFile string) error {
	if err := s.await(logFile); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	const template = "migrated"
	if err := s.exec(ctx, "CREATE DATABASE "+template); err != nil {
		return err
	}
	store, err := db.Open(ctx, databaseURL(s.url, template), db.Options{MaxConns: 2})
	if err != nil {
		return err
	}
	s.template = template
	return errors.Join(store.Migrate(ctx), store.Close())
}

// await waits until the server answers.
func (s *server) await(logFile string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		store, err := db.Open(ctx, s.url, db.Options{MaxConns: 1})
		if err == nil {
			return store.Close()
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(logFile) //nolint:errcheck,gosec // our own file; a missing one says as much
			return fmt.Errorf("waiting for PostgreSQL: %w\n%s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
