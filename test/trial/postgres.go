package trial

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

	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq" // the driver "postgres"

	"ganeticache/test/pgprograms"
)

// StopMode is how a PostgreSQL server goes down.
type StopMode string

// The ways down. Fast rolls back what runs and closes its files. Immediate leaves at once and recovers at the next
// start. Killed is kill -9 of the postmaster.
const (
	Fast      StopMode = "fast"
	Immediate StopMode = "immediate"
	Killed    StopMode = "kill"
)

// Postgres is a private server of the installed programs, on a loopback port that stays the same. It is durable: what
// it acknowledged survives every way down. Its methods are for one goroutine at a time, except URL and Open.
type Postgres struct {
	bin, dir string
	port     int
	proc     *process
}

// NewPostgres makes a database cluster in dir/postgres with a database called cache, and starts its server.
func NewPostgres(ctx context.Context, dir string) (*Postgres, error) {
	bin, err := pgprograms.Dir()
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	p := &Postgres{bin: bin, dir: filepath.Join(dir, "postgres"), port: port}
	if err := os.Mkdir(p.dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the server's directory: %w", err)
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	if err := pgprograms.DropRoot(attr, p.dir); err != nil {
		return nil, err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), //nolint:gosec // an installed program
		"--pgdata="+filepath.Join(p.dir, "data"), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, p.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("making a database cluster: %w\n%s", err, out)
	}
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	if err := p.createDatabase(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Postgres) createDatabase(ctx context.Context) (err error) {
	admin, err := sqlx.Open("postgres", p.url("postgres", p.port))
	if err != nil {
		return fmt.Errorf("opening the server's own database: %w", err)
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE cache"); err != nil {
		return fmt.Errorf("creating the database: %w", err)
	}
	return nil
}

func (p *Postgres) url(database string, port int) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable&connect_timeout=5", port, database)
}

// URL names the database by way of the given port: the server's own when 0, else that of a proxy before it.
func (p *Postgres) URL(port int) string {
	if port == 0 {
		port = p.port
	}
	return p.url("cache", port)
}

// Address is the server's own host:port.
func (p *Postgres) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// Open opens the database directly, past every proxy, for the judges. Close it.
func (p *Postgres) Open(conns int) (*sqlx.DB, error) {
	conn, err := sqlx.Open("postgres", p.URL(0)+"&timezone=UTC&application_name=trial")
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	conn.SetMaxOpenConns(conns)
	conn.SetMaxIdleConns(conns)
	return conn, nil
}

// Start starts the server and waits until it answers. After a kill the old backends may still be leaving, and the new
// server refuses until they have; Start insists for up to a minute.
func (p *Postgres) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := sqlx.Open("postgres", p.url("postgres", p.port))
	if err != nil {
		return fmt.Errorf("opening the server's own database: %w", err)
	}
	defer conn.Close()
	for {
		if p.proc == nil || !p.proc.running() {
			if err := p.spawn(); err != nil {
				return err
			}
		}
		err := conn.PingContext(ctx)
		if err == nil {
			return nil
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("waiting for PostgreSQL (log: %s): %w", p.log(), err)
		}
	}
}

func (p *Postgres) log() string { return p.dir + ".log" }

func (p *Postgres) spawn() (err error) {
	attr := &syscall.SysProcAttr{}
	if err := pgprograms.DropRoot(attr, p.dir); err != nil {
		return err
	}
	p.proc, err = launch(attr, nil, p.log(), "QUIT", filepath.Join(p.bin, "postgres"), "-D", filepath.Join(p.dir, "data"),
		"-p", strconv.Itoa(p.port), "-k", p.dir, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200",
		"-c", "shared_buffers=128MB", "-c", "log_line_prefix=%m [%p] %a ")
	return err
}

// Stop takes the server down and waits until it is.
func (p *Postgres) Stop(mode StopMode) error {
	sig := map[StopMode]syscall.Signal{Fast: syscall.SIGINT, Immediate: syscall.SIGQUIT, Killed: syscall.SIGKILL}[mode]
	if err := p.proc.end(sig, 30*time.Second); err != nil {
		return fmt.Errorf("stopping PostgreSQL (%s): %w", mode, err)
	}
	return nil
}

// Close ends the server; its files stay.
func (p *Postgres) Close() error {
	if p.proc == nil || !p.proc.running() {
		return nil
	}
	return p.Stop(Immediate)
}

// FreePort returns a loopback port that nobody listens on right now.
func FreePort() (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil || !ok {
		return 0, fmt.Errorf("finding a free port at %s: %w", l.Addr(), err)
	}
	return addr.Port, nil
}
