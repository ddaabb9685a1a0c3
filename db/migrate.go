package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// versionTable is goose's table, under a name of our own: the database may be shared with a program that uses goose too.
const versionTable = "ganeti_cache_schema"

// migrationWait is how long another process that is migrating is waited for.
const migrationWait = 5 * time.Minute

// Waiting for readers. A migration that changes a table waits for its turn so long and no longer: who waits for a reader
// that takes an hour keeps all others waiting behind it. Then it makes room for them, and tries again.
const (
	migrationLockTimeout = "1s"
	migrationPause       = 2 * time.Second
	migrationPatience    = 30 * time.Minute
)

// Migrate brings the schema up to this program's. Replicas may race: on PostgreSQL they queue for a lock. The
// role needs to own the schema's tables, or may create them; it never needs to be superuser. Readers and writers go on
// meanwhile: where a table must be locked, that takes a second at most, and is tried again for half an hour.
//
// ErrSchemaNewer; ErrEncoding, when the database cannot store every text: one without a schema stays without, and one that
// has it is migrated all the same, so that its rows can be copied.
func (s *Store) Migrate(ctx context.Context) error {
	before := s.CheckSchema(ctx)
	if errors.Is(before, ErrSchemaNewer) {
		return before
	}
	encoding := s.CheckEncoding(ctx)
	if encoding != nil && (errors.Is(before, ErrSchemaMissing) || !errors.Is(encoding, ErrEncoding)) {
		return encoding
	}
	p, err := s.goose()
	if err != nil {
		return err
	}
	defer s.writer.patience.waive()()
	if s.d.replicas && s.writer.Stats().MaxOpenConnections == 1 { // the lock takes one of its own
		s.writer.SetMaxOpenConns(2)
		defer s.writer.SetMaxOpenConns(1)
	}
	if err := s.up(ctx, p, migrationPause); err != nil {
		return fmt.Errorf("migrating the database: %w", advise(ctx, err))
	}
	return encoding
}

// up runs the pending migrations, again after a pause when one did not get its turn. What ran before stays.
func (s *Store) up(ctx context.Context, p *goose.Provider, pause time.Duration) error {
	for began := time.Now(); ; {
		_, err := p.Up(ctx)
		if err == nil || pq.As(err, pqerror.LockNotAvailable, pqerror.TRDeadlockDetected) == nil || time.Since(began) > migrationPatience {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

// goose makes a provider for one use; it holds no connection between calls.
func (s *Store) goose() (*goose.Provider, error) {
	files, err := s.d.migrations()
	if err != nil {
		return nil, fmt.Errorf("finding the migrations: %w", err)
	}
	options := []goose.ProviderOption{
		goose.WithTableName(versionTable),
		goose.WithLogger(goose.NopLogger()),
		goose.WithDisableGlobalRegistry(true),
	}
	if s.d.replicas {
		options = append(options, goose.WithSessionLocker(&migrationLock{db: s.writer.DB.DB}))
	}
	p, err := goose.NewProvider(s.d.goose, s.writer.DB.DB, files, options...)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return p, nil
}
