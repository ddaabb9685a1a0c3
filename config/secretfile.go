package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ganeticache/ganeti"
)

// maxSecretFile is the longest password or key file read, in bytes: a larger one is the wrong file.
const maxSecretFile = 64 << 10

// minSecretKey is the shortest secret key accepted, in bytes: a shorter one can be guessed together with the passwords
// it is to protect.
const minSecretKey = 32

// credential returns the file of a systemd credential (LoadCredential=, systemd.exec(5)), "" when there is none.
func (l *loader) credential(name string) string {
	folder := l.env["CREDENTIALS_DIRECTORY"]
	if folder == "" {
		return ""
	}
	file := filepath.Join(folder, name)
	if _, err := os.Stat(file); err != nil {
		return ""
	}
	return file
}

// SecretKey reads the key with which the hashes of credentials are keyed, so that a copy of the database lets nobody
// guess a password, and from which that of the sealed passwords is derived. It returns nil when there is no
// secret_key_file and no such credential.
func (c *Config) SecretKey() ([]byte, error) {
	if c.SecretKeyFile == "" {
		return nil, nil
	}
	key, err := ReadSecretKey(c.SecretKeyFile)
	if err != nil {
		return nil, fmt.Errorf("secret_key_file: %w", err)
	}
	return key, nil
}

// ReadSecretKey reads such a key from a file.
func ReadSecretKey(path string) ([]byte, error) {
	content, err := readSmall(path, maxSecretFile)
	if err != nil {
		return nil, err
	}
	key := bytes.TrimRight(content, "\r\n")
	if len(key) < minSecretKey {
		return nil, fmt.Errorf("%s holds %d bytes, at least %d are needed; make one with: openssl rand -hex 32",
			path, len(key), minSecretKey)
	}
	return key, nil
}

// ReadPassword reads a password from a stream, such as standard input, in the form of a password file.
func ReadPassword(r io.Reader) (ganeti.Secret, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxSecretFile+1))
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	password := trimNewline(string(content))
	switch {
	case password == "":
		return "", errors.New("the password is empty")
	case strings.Contains(password, nul):
		return "", errors.New("the password holds NUL, so it is in UTF-16 or no text at all; give it in UTF-8")
	case len(content) > maxSecretFile, strings.ContainsAny(password, "\r\n"):
		return "", errors.New("the password has several lines; give one line and nothing else")
	}
	return ganeti.Secret(password), nil
}

// readPassword reads the one line of a password file.
func readPassword(path string) (ganeti.Secret, error) {
	content, err := readSmall(path, maxSecretFile)
	if err != nil {
		return "", fmt.Errorf("password_file: %w", err)
	}
	return onePassword(path, content)
}

// onePassword takes the one line of a password file.
func onePassword(path string, content []byte) (ganeti.Secret, error) {
	password := trimNewline(string(content))
	switch {
	case password == "":
		return "", fmt.Errorf("password_file: %s is empty; write the password into it", path)
	case strings.Contains(password, nul):
		return "", fmt.Errorf("password_file: %s holds NUL, so it is in UTF-16 (as some programs of Windows write) or no text at all; "+
			"save it as UTF-8 without a byte order mark", path)
	case strings.ContainsAny(password, "\r\n"):
		return "", fmt.Errorf("password_file: %s has several lines; it must hold the password and nothing else", path)
	}
	return ganeti.Secret(password), nil
}

// nul is in no password, and in every line of UTF-16.
const nul = "\x00"

// trimNewline removes the one line ending that editors and echo leave; other white space may belong to the password.
func trimNewline(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}

// fileError is a sentence about a file that still answers errors.Is for its cause, without repeating the cause's text.
type fileError struct {
	text  string
	cause error
}

func (e *fileError) Error() string { return e.text }
func (e *fileError) Unwrap() error { return e.cause }

// readSmall reads a file of at most limit bytes. Its errors are sentences that name the file and what to do.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, explainOpen(path, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory; name a file", path)
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s is larger than %d KiB; it is probably the wrong file", path, limit>>10)
	}
	return content, nil
}

func explainOpen(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &fileError{path + " does not exist; create it or correct the path", err}
	case errors.Is(err, fs.ErrPermission):
		return &fileError{fmt.Sprintf("%s cannot be read by user id %d; change its owner or mode", path, os.Getuid()), err}
	default:
		return fmt.Errorf("opening %s: %w", path, err)
	}
}
