package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// fileWarnings looks at every file that holds a secret, or the cache itself, and says which of them others can read or
// write. A file that is missing is reported by those who need it. Files of systemd's credentials belong to the service alone,
// whatever their mode says.
func (c *Config) fileWarnings() []string {
	var w []string
	if c.SecretKeyFile != "" {
		w = append(w, c.openToOthers("secret_key_file", c.SecretKeyFile)...)
	}
	if c.API.TokensFile != "" {
		// The hashes in it let nobody in; whoever can write it can.
		w = append(w, writableByOthers("api.tokens_file", c.API.TokensFile)...)
	}
	for _, cl := range c.Clusters {
		if cl.PasswordFile != "" {
			w = append(w, c.openToOthers("password_file of cluster "+cl.Name, cl.PasswordFile)...)
		}
		if cl.TLS.CAFile != "" {
			w = append(w, writableByOthers("tls.ca_file of cluster "+cl.Name, cl.TLS.CAFile)...)
		}
	}
	if c.File != "" {
		if hasPassword(c.DatabaseURL) && !c.flagged["database_url"] {
			w = append(w, c.openToOthers("database_url with a password", c.File)...)
		} else {
			w = append(w, writableByOthers("configuration", c.File)...)
		}
	}
	if path, found := strings.CutPrefix(c.DatabaseURL.Reveal(), "sqlite:"); found {
		w = append(w, c.sqliteWarnings(path)...)
	}
	return w
}

// sqliteWarnings looks at the database and at the files beside it, which hold what was written last. Its group may read it:
// that is how readers on the same machine are let in. Whoever may write the directory can put other files in their place.
func (c *Config) sqliteWarnings(path string) []string {
	var w []string
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if f, found := lookAt(path + suffix); found && f.mode&0o006 != 0 {
			w = append(w, f.warning("database_url", "every user of this machine", "o-rwx"))
		}
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		w = append(w, fmt.Sprintf("database_url: every user of this machine can replace the database in %s (mode %04o); run: chmod o-w %s",
			dir, info.Mode().Perm(), dir))
	}
	return w
}

// openToOthers warns of a secret that every user, or a group that is not the updater's own, may read or write. The own group
// may: a file of root's with mode 0640 is how a service is given what it must not change.
func (c *Config) openToOthers(what, path string) []string {
	f, found := lookAt(path)
	switch {
	case !found, c.isCredential(path):
		return nil
	case f.mode&0o006 != 0:
		return []string{f.warning(what, "every user of this machine", "o-rwx")}
	case f.mode&0o060 != 0 && f.group != os.Getegid():
		return []string{f.warning(what, fmt.Sprintf("the group with the id %d", f.group), "g-rwx")}
	default:
		return nil
	}
}

// writableByOthers warns of a file that holds no secret and decides who is trusted.
func writableByOthers(what, path string) []string {
	if f, found := lookAt(path); found && f.mode&0o002 != 0 {
		return []string{f.warning(what, "every user of this machine", "o-w")}
	}
	return nil
}

// fileMode is what Warnings want to know of a file.
type fileMode struct {
	path  string
	mode  fs.FileMode // permissions only
	group int
}

// lookAt looks at a regular file.
func lookAt(path string) (fileMode, bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return fileMode{}, false
	}
	f := fileMode{path: path, mode: info.Mode().Perm(), group: os.Getegid()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		f.group = int(stat.Gid)
	}
	return f, true
}

func (f fileMode) warning(what, who, fix string) string {
	verb := "read"
	if f.mode&0o022 != 0 {
		verb = "changed"
	}
	return fmt.Sprintf("%s: %s can be %s by %s (mode %04o); run: chmod %s %s", what, f.path, verb, who, f.mode, fix, f.path)
}

// isCredential reports whether systemd made the file for this service (LoadCredential=).
func (c *Config) isCredential(path string) bool {
	return c.credentials != "" && filepath.Dir(filepath.Clean(path)) == filepath.Clean(c.credentials)
}
