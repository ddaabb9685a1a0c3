package db_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ganeticache/db"
)

// asker is the variable with the address that this program, run again as another user, opens.
const asker = "TEST_OPEN_AS_ANOTHER_USER"

// openElsewhere opens an address in another process, with this environment alone, as this user id (0: the same), and gives
// what its error says. A process looks its user up once only.
func openElsewhere(t *testing.T, uid uint32, address string, env ...string) string {
	t.Helper()
	program, dir := os.Args[0], t.TempDir()
	if uid != 0 {
		if os.Getuid() != 0 {
			t.Skip("only root can become another user")
		}
		program = copyProgram(t)
		dir = "/"
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestOpen_Elsewhere$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append([]string{asker + "=" + address}, env...)
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	out, err := cmd.CombinedOutput()
	_, said, found := strings.Cut(string(out), "it says: ")
	if err != nil || !found {
		t.Fatalf("%v\n%s", err, out)
	}
	said, _, _ = strings.Cut(said, "\n")
	return said
}

// copyProgram puts this program where every user may run it.
func copyProgram(t *testing.T) string {
	t.Helper()
	dir := must(os.MkdirTemp("", "as-another-user"))(t) //nolint:usetesting // the parents of a test's own are closed to others
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "program")
	err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, must(os.ReadFile(os.Args[0]))(t), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

//nolint:paralleltest // has the process for itself
func TestOpen_Elsewhere(t *testing.T) {
	address := os.Getenv(asker)
	if address == "" {
		t.Skip("for other tests")
	}
	s, err := db.Open(t.Context(), address, db.Options{})
	if err == nil {
		err = errors.Join(errors.New("opened"), s.Close())
	}
	t.Log("it says:", err, "/", db.CheckPlace(address))
}

func TestOpen_AsAUserWithoutAName(t *testing.T) {
	t.Parallel()
	const uid = 54321
	refuse := refusingServer(t)
	for _, c := range []struct {
		name, address string
		env           []string
		want          []string
	}{
		{"nobody is named", "postgres://h/d", nil, []string{"set PGUSER", "postgres://USER@HOST/DATABASE", "user id 54321"}},
		{"with a password elsewhere", "postgres://h/d", []string{"HOME=/", "PGPASSWORD=hunter2", "PGUSER="}, []string{"set PGUSER"}},
		{"PGUSER", "postgres://127.0.0.1:1/d", []string{"PGUSER=u"}, []string{"connection refused"}},
		{"USER", "postgres://127.0.0.1:1/d", []string{"USER=u"}, []string{"connection refused"}},
		{"in the address", "postgres://u@127.0.0.1:1/d", nil, []string{"connection refused"}},
		{"as a parameter", "postgres://127.0.0.1:1/d?user=u", nil, []string{"connection refused"}},
		{"no home", refuse("u@"), nil, []string{"HOME is not set", "PGPASSFILE"}},
		{"a home without a password file", refuse("u@"), []string{"HOME=/"}, []string{"/.pgpass does not exist", "PGPASSFILE"}},
		{"a password file of root's", refuse("u@"), []string{"PGPASSFILE=/etc/shadow"}, []string{"/etc/shadow cannot be read by user id 54321"}},
		{"a password that is wrong", refuse("u:hunter2@"), nil, []string{"check the user and the password"}},
		{"the working directory", "sqlite:ganeti-cache.db", nil, []string{
			"open /ganeti-cache.db: permission denied", "user id 54321", "database_url", "/ opening the database: writing /: permission denied",
		}},
		{"no such directory", "sqlite:/none/ganeti-cache.db", nil, []string{"the directory /none does not exist", "database_url"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			said := openElsewhere(t, uid, c.address, c.env...)
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("it says %q, want it to say %q", said, want)
				}
			}
			if strings.Contains(said, "hunter2") || strings.Contains(said, "requires cgo") {
				t.Errorf("it says %q", said)
			}
		})
	}
}

// Where the server refuses the log-in, the error says who that was and where its password was looked for.
func TestOpen_SaysWhoseLogInWasRefused(t *testing.T) {
	t.Parallel()
	refuse := refusingServer(t)
	file := filepath.Join(t.TempDir(), "pgpass")
	if err := os.WriteFile(file, []byte("*:*:*:*:hunter2\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, address string
		env           []string
		want, not     string
	}{
		{"a user of the process", refuse(""), []string{"USER=somebody"}, `it is the one of this process, "somebody"`, ""},
		{"a user of its own", refuse("u@"), []string{"USER=somebody"}, "check the user", "somebody"},
		{"a password of its own", refuse("u@"), []string{"PGPASSWORD=hunter2"}, "check the user", "password file"},
		{"a password with a line end", refuse("u@"), []string{"PGPASSWORD=hunter2\n"}, "the password in PGPASSWORD ends with a line break", "password file"},
		{"a password with a blank in the address", refuse("u:hunter2%20@"), nil, "the password in the database URL ends with a blank", "password file"},
		{"a password file that others may read", refuse("u@"), []string{"PGPASSFILE=" + file}, "run chmod 0600 " + file, ""},
		{"no password file", refuse("u@"), []string{"PGPASSFILE=/none"}, "the password file /none does not exist", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			said := openElsewhere(t, 0, c.address, c.env...)
			if !strings.Contains(said, c.want) || c.not != "" && strings.Contains(said, c.not) || strings.Contains(said, "hunter2") {
				t.Errorf("it says %q, want it to say %q and not %q", said, c.want, c.not)
			}
		})
	}
}

// refusingServer is a PostgreSQL that refuses every log-in. It gives the address for a user and a password.
func refusingServer(t *testing.T) func(user string) string {
	t.Helper()
	l := must((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var size uint32
			if err := binary.Read(c, binary.BigEndian, &size); err != nil {
				return
			}
			_, rerr := io.CopyN(io.Discard, c, int64(size)-4)
			fields := "SFATAL\x00VFATAL\x00C28P01\x00Mpassword authentication failed\x00\x00"
			answer := append([]byte{'E'}, binary.BigEndian.AppendUint32(nil, uint32(len(fields)+4))...)
			_, werr := c.Write(append(answer, fields...))
			if err := errors.Join(rerr, werr, c.Close()); err != nil {
				return
			}
		}
	}()
	return func(user string) string { return "postgres://" + user + l.Addr().String() + "/d?sslmode=disable" }
}
