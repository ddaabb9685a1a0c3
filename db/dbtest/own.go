package dbtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ganeticache/db"
)

// Server is a PostgreSQL server of a test's own, which may be stopped, killed and started. It ends with the test, or with
// the test binary in whatever way that ends.
type Server struct {
	// URL is that of a migrated database.
	URL string

	tb       testing.TB
	dir      string
	commands io.Writer
	answers  *bufio.Reader
}

// obey runs the server as the lines of standard input say, and answers each with a line. $1 is the directory of the
// programs, $2 that of the server.
const obey = `
pid=
while read -r command; do
	case $command in
	start)
		"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off \
			-c shared_buffers=16MB -c log_min_messages=fatal </dev/null >>"$2/log" 2>&1 &
		pid=$! ;;
	*)
		kill "-$command" "$pid"
		wait "$pid" ;;
	esac
	echo done
done
kill -QUIT "$pid"
wait "$pid"
rm -rf "$2"
`

// OwnServer starts a server for one test. Most tests want [Postgres], which is faster.
func OwnServer(tb testing.TB) *Server {
	tb.Helper()
	bin, dir, attr, err := initialize()
	if err != nil {
		tb.Fatal(err)
	}
	supervisor := exec.CommandContext(context.Background(), "/bin/sh", "-c", obey, "sh", bin, dir) //nolint:gosec // our own script
	supervisor.SysProcAttr, supervisor.Dir = attr, dir
	commands, err := supervisor.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	answers, err := supervisor.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := supervisor.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(stopper(supervisor, commands))
	s := &Server{tb: tb, dir: dir, commands: commands, answers: bufio.NewReader(answers)}
	s.tell("start")
	shared := &server{url: s.address()}
	if err := shared.prepare(filepath.Join(dir, "log")); err != nil {
		tb.Fatal(err)
	}
	s.URL = databaseURL(shared.url, shared.template)
	return s
}

func (s *Server) address() string { return "postgres:///postgres?user=postgres&host=" + s.dir }

// tell gives the supervisor a command and waits until it is done.
func (s *Server) tell(command string) {
	s.tb.Helper()
	if _, err := fmt.Fprintln(s.commands, command); err != nil {
		s.tb.Fatal(err)
	}
	if _, err := s.answers.ReadString('\n'); err != nil {
		s.tb.Fatalf("telling the server's supervisor to %s: %v", command, err)
	}
}

// Stop ends every session and shuts the server down.
func (s *Server) Stop() {
	s.tb.Helper()
	s.tell("INT")
}

// Kill ends the server as a crash does: nothing is tidied up, the next start recovers.
func (s *Server) Kill() {
	s.tb.Helper()
	s.tell("QUIT")
}

// Start starts a server that was stopped or killed, and returns when it answers.
func (s *Server) Start() {
	s.tb.Helper()
	s.tell("start")
	if err := (&server{url: s.address()}).await(filepath.Join(s.dir, "log")); err != nil {
		s.tb.Fatal(err)
	}
}

// Standby restarts the server as a standby of nothing: it answers and takes no writes until it is promoted.
func (s *Server) Standby() {
	s.tb.Helper()
	s.Stop()
	if err := os.WriteFile(filepath.Join(s.dir, "data", "standby.signal"), nil, 0o644); err != nil { //nolint:gosec // read by the server's user
		s.tb.Fatal(err)
	}
	s.Start()
}

// Promote makes a standby take writes, and returns when it does.
func (s *Server) Promote() {
	s.tb.Helper()
	s.Exec("SELECT pg_promote()")
}

// Exec runs a statement as the superuser on the database of URL.
func (s *Server) Exec(statement string) {
	s.tb.Helper()
	if err := (&server{url: s.URL}).exec(context.WithoutCancel(s.tb.Context()), statement); err != nil {
		s.tb.Fatal(err)
	}
}

// Open opens a store on the server.
func (s *Server) Open(o db.Options) *db.Store {
	s.tb.Helper()
	return open(s.tb, s.URL, o)
}
