package db

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// migrations are the files of a dialect. In those that run in a transaction, it begins with a limit to what it waits for locks.
func (d *dialect) migrations() (fs.FS, error) {
	files, err := fs.Sub(migrations, "migrations/"+d.name)
	if err != nil || d.limits == "" {
		return files, err
	}
	return politeFiles{files}, nil
}

// latest is the version of the schema that this program knows.
func (d *dialect) latest() (int64, error) {
	files, err := fs.Glob(migrations, "migrations/"+d.name+"/*.sql")
	if err != nil {
		return 0, fmt.Errorf("finding the migrations: %w", err)
	}
	var newest int64
	for _, file := range files {
		version, err := versionOf(file)
		if err != nil {
			return 0, err
		}
		newest = max(newest, version)
	}
	return newest, nil
}

// versionOf is the number that a migration's name begins with.
func versionOf(file string) (int64, error) {
	number, _, _ := strings.Cut(path.Base(file), "_")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("migration %s has no number: %w", file, err)
	}
	return version, nil
}

// politeFiles are migrations that do not stand in a queue for a table for long, where all who come later wait behind them.
// Outside of a transaction, PostgreSQL's CONCURRENTLY waits as long as it has to: nobody waits for it.
type politeFiles struct{ fs.FS }

// Open implements fs.FS.
func (p politeFiles) Open(name string) (fs.File, error) {
	file, err := p.FS.Open(name)
	if err != nil || path.Ext(name) != ".sql" {
		return file, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("reading the migration %s: %w", name, err)
	}
	const up = "-- +goose Up\n"
	if !bytes.Contains(text, []byte("-- +goose NO TRANSACTION")) {
		text = bytes.Replace(text, []byte(up), []byte(up+"SET LOCAL lock_timeout = '"+migrationLockTimeout+"';\n"), 1)
	}
	return &textFile{File: file, Reader: bytes.NewReader(text)}, nil
}

// textFile is a file with another text.
type textFile struct {
	fs.File
	*bytes.Reader
}

// Read reads the other text.
func (f *textFile) Read(b []byte) (int, error) { return f.Reader.Read(b) }
