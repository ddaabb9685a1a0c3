package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// versionTable is goose's table, under a name of our own: the database may be shared with a program that uses goose too.
const versionTable = "ganeti_cache_schema"

// migrationWait is how long another process that is migrating is waited for.
const migrationWait = 5 * time.Minute

// Migrate brings the schema up to this program's. Replicas may race: on PostgreSQL they queue for a lock. The role needs to
// own the schema's tables, or may create them; it never needs to be superuser.
func (s *Store) Migrate(ctx context.Context) error {
	p, err := s.goose()
	if err != nil {
		return err
	}
	if err := s.CheckSchema(ctx); errors.Is(err, ErrSchemaNewer) {
		return err
	}
	defer s.writer.patience.waive()()
	if s.d.replicas && s.writer.Stats().MaxOpenConnections == 1 { // the lock takes one of its own
		s.writer.SetMaxOpenConns(2)
		defer s.writer.SetMaxOpenConns(1)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating the database: %w", advise(ctx, err))
	}
	return nil
}

// CheckSchema returns nil when the schema is this program's, else an error that is ErrSchemaMissing, ErrSchemaOld or
// ErrSchemaNewer, or that of the database.
func (s *Store) CheckSchema(ctx context.Context) error {
	var tables int
	if err := s.reader.GetContext(ctx, &tables, s.reader.Rebind(s.d.schemaTable), versionTable); err != nil {
		return fmt.Errorf("looking for the schema: %w", err)
	}
	if tables == 0 {
		return ErrSchemaMissing
	}
	var have int64
	err := s.reader.GetContext(ctx, &have, "SELECT coalesce(max(version_id), 0) FROM "+versionTable+" WHERE is_applied")
	if err != nil {
		return fmt.Errorf("reading the version of the schema: %w", err)
	}
	p, err := s.goose()
	if err != nil {
		return err
	}
	sources := p.ListSources()
	want := sources[len(sources)-1].Version
	switch {
	case have == 0:
		return ErrSchemaMissing
	case have < want:
		return fmt.Errorf("version %d of %d: %w", have, want, ErrSchemaOld)
	case have > want:
		return fmt.Errorf("version %d, known up to %d: %w", have, want, ErrSchemaNewer)
	}
	return nil
}

// goose makes a provider for one use; it holds no connection between calls.
func (s *Store) goose() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+s.d.name)
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
