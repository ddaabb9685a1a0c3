package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"ganeticache/dburl"
)

// Options of Open; the zero value is good.
type Options struct {
	// MaxConns bounds the connections to PostgreSQL, or the read connections to SQLite, which always has one writer.
	// Default 10, or 4 for SQLite.
	MaxConns int
	// ReadOnly says that the caller only reads. A SQLite file that does not exist is then an error that is
	// ErrSchemaMissing, instead of being created. Where none of several PostgreSQL servers takes writes, one that does not is
	// used.
	ReadOnly bool
	// Silence is how long PostgreSQL may say nothing while it is waited for, before the connection is given up. Default one
	// minute; migrations may take as long as they need.
	Silence time.Duration
	// OwnerTags are the tags of VMs that grant permissions; Apply keeps those grants in step.
	OwnerTags []OwnerTag
	// Remake makes stored rows anew for [Store.Backfill]; nil leaves them as they are.
	Remake Remaker
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	d      *dialect
	writer *pool // transactions that write
	reader *pool // the same as writer in PostgreSQL; a read-only pool in SQLite
	// spares is filled by who reads with a connection beside the transaction's: one at a time, since several clusters at once
	// keep the server busy anyway, and each takes more memory so. It is nil for SQLite, where each connection has a cache of its
	// own to fill.
	spares chan struct{}
	tables map[Kind]*table
	owners []OwnerTag
	claim  claim
	// epoch is what the log of changes is told apart by, drawn at random.
	epoch string
	// remake and backfilled are for rows of earlier versions.
	remake     Remaker
	backfilled backfilled
	// outdated says that a newer program migrated the database: this one only reads.
	outdated atomic.Bool
}

// Open connects to the database at url: sqlite:PATH, or postgres://USER@HOST/DATABASE?sslmode=MODE. It does not
// migrate. A SQLite file that does not exist is created, readable by its owner only.
//
// Several hosts may be named (HOST:PORT,HOST:PORT, or the parameters host and port); unless target_session_attrs says
// otherwise, the first that takes writes is used, and looked for again whenever a connection breaks.
//
// Without sslmode (in the URL or in PGSSLMODE) a connection to PostgreSQL over a unix socket or to this machine is
// not encrypted, and one to any other host must be, with a certificate that verifies (verify-full); of several hosts, if
// one is another machine.
//
// The Store outlives trouble with the database: no error makes it necessary to open it again, but for a SQLite file that
// was replaced by another. [TroubleOf] tells the kind of trouble; where a transaction can be tried again to some purpose,
// it was. Errors never hold the password of the URL.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	s := &Store{tables: make(map[Kind]*table), epoch: newEpoch(), remake: o.Remake}
	for _, k := range kindTables() {
		s.tables[k.kind] = newTable(k)
	}
	if err := dburl.Check(url); err != nil {
		return nil, err
	}
	scheme, rest, _ := strings.Cut(url, ":")
	var err error
	if s.owners, err = wholeTags(o.OwnerTags); err != nil {
		return nil, err
	}
	switch scheme {
	case "sqlite":
		s.d = sqliteDialect()
		s.writer, s.reader, err = openSQLite(ctx, rest, o)
		s.claim.path = claimPath(rest)
	case "postgres", "postgresql":
		s.d = postgresDialect()
		s.writer, err = openPostgres(ctx, url, o)
		s.reader = s.writer
	default:
		return nil, dburl.ErrScheme
	}
	if err != nil {
		return nil, err
	}
	if s.reader == s.writer {
		s.spares = make(chan struct{}, min(1, s.writer.Stats().MaxOpenConnections/2))
	}
	return s, nil
}

// Close closes all connections; running transactions are rolled back.
func (s *Store) Close() error {
	err := s.writer.Close()
	if s.reader != s.writer {
		err = errors.Join(err, s.reader.Close())
	}
	// A connection that broke before has nothing left to close.
	if err != nil && !isBroken(err) {
		return fmt.Errorf("closing the database: %w", err)
	}
	return nil
}

// Dialect returns "postgres" or "sqlite".
func (s *Store) Dialect() string { return s.d.name }

// Ping checks that the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.reader.GetContext(ctx, &one, "SELECT 1"); err != nil {
		return fmt.Errorf("asking the database: %w", err)
	}
	return nil
}

// CheckWrites returns an error of [TroubleReadOnly] when the server takes no writes: a standby. A SQLite file that takes none
// shows with the first write.
func (s *Store) CheckWrites(ctx context.Context) error {
	if s.reader != s.writer {
		return nil
	}
	return advise(ctx, s.tryTx(ctx, func(context.Context, *txn) error { return nil }))
}

// DB gives read access for queries that this package does not offer, such as those of tests and tools. SQLite's is
// read-only.
func (s *Store) DB() *sqlx.DB { return s.reader.DB }

// Writer is like DB, but may write. It is for tests and for repairs by hand: nothing that goes through it is checked, noted
// in changes or counted in a generation. SQLite has only this one connection that writes.
func (s *Store) Writer() *sqlx.DB { return s.writer.DB }

// tableOf returns the table of a kind that comes in bulk.
func (s *Store) tableOf(k Kind) (*table, error) {
	t, ok := s.tables[k]
	if !ok {
		return nil, fmt.Errorf("kind %q has no table of objects", k)
	}
	return t, nil
}

// read runs a query written with ? placeholders outside any transaction.
func (s *Store) read(ctx context.Context, dest any, query string, args ...any) error {
	return s.reader.SelectContext(ctx, dest, s.reader.Rebind(query), args...)
}
