package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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

// server is one of the two PostgreSQL servers.
type server struct {
	name string
	port int

	bin, dir string
	attr     *syscall.SysProcAttr
	shell    *exec.Cmd
	commands io.WriteCloser
	answers  *bufio.Reader
}

// obey runs the server as the lines of standard input say and answers each with a line; when they end, so does the server.
// $1 is the directory of the programs, $2 that of the server, $3 its port. A standby that has just
// lost its primary sleeps for wal_retrieve_retry_interval before it notices that it is promoted.
const obey = `
pid=
while read -r command; do
	case $command in
	start)
		"$1/postgres" -D "$2/data" -k "$2" -p "$3" -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=32MB \
			-c synchronous_commit=remote_apply -c wal_retrieve_retry_interval=100ms </dev/null >>"$2/log" 2>&1 &
		pid=$! ;;
	*)
		kill "-$command" "$pid"
		wait "$pid" ;;
	esac
	echo done
done
kill -QUIT "$pid"
wait "$pid"
`

// newServer prepares a server with an empty data directory; top is removed by the caller.
func newServer(ctx context.Context, top, name string) (*server, error) {
	bin, err := pgprograms.Dir()
	if err != nil {
		return nil, err
	}
	s := &server{name: name, bin: bin, dir: filepath.Join(top, name), attr: &syscall.SysProcAttr{Setpgid: true}}
	if s.port, err = freePort(ctx); err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of server %s: %w", name, err)
	}
	if err := pgprograms.DropRoot(s.attr, s.dir); err != nil {
		return nil, err
	}
	s.shell = exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", obey, "sh", bin, s.dir, strconv.Itoa(s.port)) //nolint:gosec // our own script
	s.shell.SysProcAttr, s.shell.Dir, s.shell.Stderr = s.attr, s.dir, io.Discard
	answers, err := s.shell.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("preparing server %s: %w", name, err)
	}
	if s.commands, err = s.shell.StdinPipe(); err != nil {
		return nil, fmt.Errorf("preparing server %s: %w", name, err)
	}
	s.answers = bufio.NewReader(answers)
	if err := s.shell.Start(); err != nil {
		return nil, fmt.Errorf("preparing server %s: %w", name, err)
	}
	return s, nil
}

// url reaches the server directly.
func (s *server) url() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres", s.port)
}

// close ends the server and its supervisor.
func (s *server) close() {
	if s.commands.Close() == nil {
		s.shell.Wait() //nolint:errcheck,gosec // it ends with the signal that it sent
	}
}

// tell gives the supervisor a command, "start" or a signal's name, and waits until it is done.
func (s *server) tell(command string) error {
	_, err := fmt.Fprintln(s.commands, command)
	if err == nil {
		_, err = s.answers.ReadString('\n')
	}
	if err != nil {
		return fmt.Errorf("telling server %s to %s: %w", s.name, command, err)
	}
	return nil
}

// run runs one of PostgreSQL's programs to its end.
func (s *server) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...) //nolint:gosec // an installed program
	cmd.SysProcAttr, cmd.Dir = s.attr, s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running %s for server %s: %w\n%s", program, s.name, err, out)
	}
	return nil
}

// startPrimary makes the database and starts it.
func (s *server) startPrimary(ctx context.Context) error {
	err := s.run(ctx, "initdb", "--pgdata="+filepath.Join(s.dir, "data"), "--username=postgres", "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return err
	}
	return s.start(ctx)
}

// start starts what is in the data directory and returns when it answers.
func (s *server) start(ctx context.Context) error {
	if err := s.tell("start"); err != nil {
		return err
	}
	err := await(ctx, time.Minute, func() error {
		store, err := db.Open(ctx, s.url(), db.Options{MaxConns: 1})
		if err != nil {
			return err
		}
		return store.Close()
	})
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log")) //nolint:errcheck // our own file; a missing one says as much
		return fmt.Errorf("starting server %s: %w\n%s", s.name, err, log)
	}
	return nil
}

// follow replaces what is in the data directory by a copy of the primary, and starts it as its synchronous standby.
func (s *server) follow(ctx context.Context, primary *server) error {
	data := filepath.Join(s.dir, "data")
	if err := os.RemoveAll(data); err != nil {
		return fmt.Errorf("removing the data of server %s: %w", s.name, err)
	}
	err := s.run(ctx, "pg_basebackup", "--pgdata="+data, "--host=127.0.0.1", "--port="+strconv.Itoa(primary.port), "--username=postgres",
		"--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
	if err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	// From now on what was acknowledged is on both.
	if err := primary.exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return await(ctx, time.Minute, func() error {
		var n int
		if err := primary.get(ctx, &n, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"); err != nil {
			return err
		}
		if n == 0 {
			return errors.New("the standby does not replicate")
		}
		return nil
	})
}

// promote makes a standby the primary; it has no standby of its own to wait for yet.
func (s *server) promote(ctx context.Context) error {
	return s.exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()", "SELECT pg_promote()")
}

func (s *server) exec(ctx context.Context, statements ...string) error {
	return s.open(ctx, func(store *db.Store) error {
		for _, statement := range statements {
			if _, err := store.DB().ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s on server %s: %w", statement, s.name, err)
			}
		}
		return nil
	})
}

func (s *server) get(ctx context.Context, dest any, query string) error {
	return s.open(ctx, func(store *db.Store) error {
		if err := store.DB().GetContext(ctx, dest, query); err != nil {
			return fmt.Errorf("asking server %s: %w", s.name, err)
		}
		return nil
	})
}

func (s *server) open(ctx context.Context, use func(*db.Store) error) error {
	store, err := db.Open(ctx, s.url(), db.Options{MaxConns: 1})
	if err != nil {
		return fmt.Errorf("opening server %s: %w", s.name, err)
	}
	return errors.Join(use(store), store.Close())
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
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(port)
	return n, errors.Join(err, l.Close())
}
