package db

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	neturl "net/url"
	"os"
	"os/user"
	"path/filepath"

	"github.com/lib/pq"

	"ganeticache/dburl"
	"ganeticache/oddity"
)

// nameUser says who connects where the URL does not. The driver would ask the operating system, which has no name for the
// arbitrary user id that a container may run with, and its error says neither that nor what to do.
func nameUser(url *neturl.URL, q neturl.Values) error {
	if namesUser(url, q) {
		return nil
	}
	name, err := processUser()
	if err != nil {
		return err
	}
	q.Set("user", name)
	return nil
}

func namesUser(url *neturl.URL, q neturl.Values) bool {
	return url.User.Username() != "" || q.Get("user") != ""
}

// processUser is whom a connection is made as when nobody is named, as libpq has it.
func processUser() (string, error) {
	if name := cmp.Or(os.Getenv("PGUSER"), os.Getenv("USER")); name != "" {
		return name, nil
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username, nil
	}
	return "", fmt.Errorf("it names no user, neither PGUSER nor USER is set, and this machine has no name for user id %d, which is an "+
		"arbitrary one, as in a container; set PGUSER, or put the user into the URL: postgres://USER@HOST/DATABASE", os.Getuid())
}

// explainLogin adds to an error of the log-in what the URL left to others, and what they said.
func explainLogin(err error, address *dburl.Address) error {
	trouble, found := errors.AsType[*troubleError](err)
	if e := pq.As(err); !found || e == nil || e.Code.Class() != "28" {
		return err
	}
	advice := trouble.advice
	if q := address.URL.Query(); !namesUser(address.URL, q) && !hasService(q) && os.Getenv("PGUSER") == "" {
		if name, err := processUser(); err == nil {
			advice += fmt.Sprintf("; the URL names no user and PGUSER is not set, so it is the one of this process, %q", name)
		}
	}
	inURL, _ := address.Password()
	inEnvironment := os.Getenv("PGPASSWORD")
	var why string
	switch {
	case inURL != "":
		why = oddity.Explain(inURL, "the database URL", "")
	case inEnvironment != "":
		why = oddity.Explain(inEnvironment, "PGPASSWORD", "")
	default:
		why = "no password is in the URL or in PGPASSWORD, and " + passwordFile(address.URL.Query())
	}
	if why != "" {
		advice += "; " + why
	}
	return &troubleError{kind: trouble.kind, advice: advice, err: trouble.err}
}

func hasService(q neturl.Values) bool { return q.Has("service") || os.Getenv("PGSERVICE") != "" }

// passwordFile says how the driver fares with the password file, of which it says nothing.
func passwordFile(q neturl.Values) string {
	path := cmp.Or(q.Get("passfile"), os.Getenv("PGPASSFILE"))
	if path == "" {
		home, err := os.UserHomeDir()
		if u, unknown := user.Current(); err != nil && unknown == nil {
			home = u.HomeDir
		}
		if home == "" {
			return "HOME is not set, so there is no ~/.pgpass: name the file with PGPASSFILE"
		}
		path = filepath.Join(home, ".pgpass")
	}
	f, err := os.Open(path) //nolint:gosec // the path is the operator's own setting
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the password file " + path + " does not exist; PGPASSFILE names another"
	case err != nil:
		return fmt.Sprintf("the password file %s cannot be read by user id %d: change its owner, or name another with PGPASSFILE", path, os.Getuid())
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		return fmt.Sprintf("the password file %s is not used, because its group or others may read it (mode %04o): run chmod 0600 %s, or give the "+
			"password in PGPASSWORD where the mode cannot be chosen", path, info.Mode().Perm(), path)
	}
	return "the password file " + path + " has no line for this server, database and user that the server accepts"
}
