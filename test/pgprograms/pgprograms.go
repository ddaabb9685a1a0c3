// Package pgprograms finds the server programs of PostgreSQL that are installed, and has them run as somebody they agree
// to run as. Tests and trials start private servers with it.
package pgprograms

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// ErrMissing means that there are no server programs, and says what to install.
var ErrMissing = errors.New("PostgreSQL's server programs (initdb, postgres) were not found; install them " +
	"(Debian, Ubuntu: apt-get install postgresql)")

// Dir returns the directory of the newest installed server: that of PATH, or where the distributions put what is not in
// PATH. ErrMissing.
func Dir() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		// A link leads to the directory that has all of the programs.
		if path, err = filepath.EvalSymlinks(path); err == nil && whole(filepath.Dir(path)) {
			return filepath.Dir(path), nil
		}
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/pgsql/bin"} {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("looking for PostgreSQL in %s: %w", pattern, err)
		}
		found = append(found, dirs...)
	}
	found = slices.DeleteFunc(found, func(dir string) bool { return !whole(dir) })
	if len(found) == 0 {
		return "", ErrMissing
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
}

// whole says whether a directory has what a server needs; that of a client has not.
func whole(dir string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
			return false
		}
	}
	return true
}

// version reads the version from /usr/lib/postgresql/15/bin and its like; a directory without one comes last.
func version(bin string) int {
	digits := strings.TrimFunc(filepath.Base(filepath.Dir(bin)), func(r rune) bool { return r < '0' || r > '9' })
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// DropRoot makes a program run as the user postgres (or nobody) and gives it dir, where this process is root, as which
// PostgreSQL refuses to run.
func DropRoot(attr *syscall.SysProcAttr, dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return fmt.Errorf("finding a user for PostgreSQL, which refuses to run as root: %w", err)
		}
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("reading the ids of user %s: %w", u.Username, err)
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(dir, int(uid), int(gid))
}
