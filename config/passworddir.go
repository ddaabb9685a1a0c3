package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"ganeticache/ganeti"
)

// passwordDir is the directory in which the database may name password files; "" when there is none.
func (c *Config) passwordDir() string {
	if c.PasswordDir != "" {
		return c.PasswordDir
	}
	if info, err := os.Stat(c.File); c.File == "" || err != nil || !info.Mode().IsRegular() {
		return "" // none, or /dev/null
	}
	return filepath.Dir(c.File)
}

// ReadStoredPassword reads a password file that is named in the database. Whoever can write to the database must not be
// able to read any file through the updater: the file lies below PasswordDir, symbolic links resolved, and is none of the
// updater's own, under whatever name.
func (c *Config) ReadStoredPassword(path string) (_ ganeti.Secret, err error) {
	dir := c.passwordDir()
	if dir == "" {
		return "", fmt.Errorf("password_file: %s is named in the database, and password_dir, below which such files must lie, is not set", path)
	}
	// Only a root keeps what is found below it from changing between the look and the reading.
	inside, err := below(dir, path)
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", explainOpen(dir, err)
	}
	defer root.Close()
	if info, err := root.Stat(inside); err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("password_file: %s is no regular file", path)
	}
	f, err := root.Open(inside)
	if err != nil {
		return "", fmt.Errorf("password_file: %w", explainOpen(path, err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("password_file: looking at %s: %w", path, err)
	}
	for _, own := range []string{c.SecretKeyFile, c.File, c.API.TokensFile} {
		if its, err := os.Stat(own); own != "" && err == nil && os.SameFile(info, its) {
			return "", fmt.Errorf("password_file: %s is a file of the updater itself (%s), and no password", path, own)
		}
	}
	content, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("password_file: reading %s: %w", path, err)
	case len(content) > maxSecretFile:
		return "", fmt.Errorf("password_file: %s is larger than %d KiB; it is probably the wrong file", path, maxSecretFile>>10)
	}
	return onePassword(path, content)
}

// below gives the file's path within the directory, links resolved.
func below(dir, path string) (string, error) {
	realDir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("password_dir: %w", explainOpen(dir, err))
	}
	realFile, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("password_file: %w", explainOpen(path, err))
	}
	realDir, dirErr := filepath.Abs(realDir)
	realFile, fileErr := filepath.Abs(realFile)
	inside, err := filepath.Rel(realDir, realFile)
	if err := errors.Join(dirErr, fileErr, err); err != nil {
		return "", fmt.Errorf("password_file: finding %s: %w", path, err)
	}
	if inside == ".." || strings.HasPrefix(inside, "../") {
		return "", fmt.Errorf("password_file: %s lies outside %s; the database may name files below password_dir only: "+
			"move the file there, or set password_dir", path, dir)
	}
	return inside, nil
}
