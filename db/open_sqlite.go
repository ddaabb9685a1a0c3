package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	neturl "net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	sqliteReaders = 4
	// Cache sizes in pages of 16 KiB, each of which takes 32 of the driver's memory. More than the writer's makes bulk loads
	// no faster, more than a reader's no search: the operating system keeps the file, too. Not in KiB: SQLite counts pages of
	// 4 KiB then, as it does not know the file's yet, and keeps four times as many.
	sqliteWriterCache = 256
	sqliteReaderCache = 64
)

func newDB(c driver.Connector) *sql.DB { return sql.OpenDB(c) }

// openSQLite opens one connection that writes and a few that only read: SQLite has one writer at a time, and with WAL
// it does not stand in the readers' way.
func openSQLite(ctx context.Context, path string, o Options) (writer, reader *pool, err error) {
	if path == "" || path == ":memory:" {
		return nil, nil, errors.New("the database URL sqlite: needs the path of a file, such as sqlite:ganeti-cache.db")
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("finding %s: %w", path, err)
	}
	if o.ReadOnly {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("opening the database: %s does not exist: %w", path, ErrSchemaMissing)
		}
	}
	if err := createFile(path); err != nil {
		return nil, nil, err
	}
	if writer, err = connectSQLite(ctx, path, sqliteWriterCache, "immediate", false); err != nil {
		return nil, nil, err
	}
	writer.SetMaxOpenConns(1)
	if reader, err = connectSQLite(ctx, path, sqliteReaderCache, "deferred", true); err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	maxReaders := o.MaxConns
	if maxReaders <= 0 {
		maxReaders = sqliteReaders
	}
	reader.SetMaxOpenConns(maxReaders)
	reader.SetMaxIdleConns(maxReaders)
	return writer, reader, nil
}

// claimPath names the file that a refreshing process locks; see claim. SQLite's own locks leave it alone.
func claimPath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs // wherever the process goes later
	}
	return path + "-refresh.lock"
}

// createFile makes the file with the rights it shall keep (SQLite gives its journal the same) and finds the common
// mistakes while there is an error that names them.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the path is the operator's own setting
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("opening the database: the directory %s does not exist: make it, or name another path in database_url", filepath.Dir(path))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return unwritable(err)
	default:
		return fmt.Errorf("opening the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("creating the database: %w", err)
	}
	return nil
}

// unwritable says what to do where a database can be neither made nor changed: with an arbitrary user id, in a container, that
// is most of the file system, and the working directory above all.
func unwritable(err error) error {
	return fmt.Errorf("opening the database: %w; the file and its directory must be writable for user id %d: change their owner, or name "+
		"a path that is writable in database_url (UPDATER_DATABASE_URL), such as sqlite:/data/ganeti-cache.db", err, os.Getuid())
}

// CheckPlace says whether the database of an address can be made where it is not there yet. Nothing is made; where an address
// is not one of SQLite, nothing is known.
func CheckPlace(url string) error {
	path, found := strings.CutPrefix(url, "sqlite:")
	if !found {
		return nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("finding %s: %w", path, err)
	}
	dir := filepath.Dir(path)
	const writeAndSearch = 3
	switch err := syscall.Access(dir, writeAndSearch); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("opening the database: the directory %s does not exist: make it, or name another path in database_url", dir)
	case err != nil:
		return unwritable(&fs.PathError{Op: "writing", Path: dir, Err: err})
	}
	return nil
}

func connectSQLite(ctx context.Context, path string, cachePages int, txlock string, readOnly bool) (*pool, error) {
	connector, err := sqlite.NewConnector(sqliteDSN(path, cachePages, txlock, readOnly))
	if err != nil {
		return nil, fmt.Errorf("opening the database %s: %w", path, err)
	}
	// sqlx knows the bind type of "sqlite3" but not of modernc's "sqlite".
	db := sqlx.NewDb(newDB(connector), "sqlite3")
	var tables int
	if err := db.GetContext(ctx, &tables, "SELECT count(*) FROM sqlite_master"); err != nil {
		return nil, errors.Join(sqliteOpenError(path, err), db.Close())
	}
	return &pool{DB: db}, nil
}

// sqliteDSN escapes the path, which may hold any of the characters that mean something in a URI. The page size only
// counts for a new file and before it turns to WAL: the driver runs the _pragma values in alphabetical order, and
// _journal_mode after them.
func sqliteDSN(path string, cachePages int, txlock string, readOnly bool) string {
	q := neturl.Values{
		"_pragma": {
			"busy_timeout(5000)", "page_size(16384)", "synchronous(NORMAL)", "foreign_keys(1)",
			"cache_size(" + strconv.Itoa(cachePages) + ")", "temp_store(MEMORY)",
		},
		"_journal_mode": {"WAL"},
		"_time_format":  {"sqlite"},
		"_timezone":     {"UTC"},
		"_txlock":       {txlock},
		"_error_rc":     {"1"},
	}
	if readOnly {
		q.Set("_query_only", "1")
	}
	return (&neturl.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// sqliteOpenError puts SQLite's few words into a sentence.
func sqliteOpenError(path string, err error) error {
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("opening the database: %s is not an SQLite database file: %w", path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("opening the database: %s and its directory must be writable: %w", path, err)
	}
	return fmt.Errorf("opening the database %s: %w", path, err)
}
