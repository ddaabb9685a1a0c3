package db

import (
	"context"
	"errors"
	"fmt"
)

// CheckSchema returns nil when the schema is this program's, else an error that is ErrSchemaMissing, ErrSchemaOld or
// ErrSchemaNewer, or that of the database. Once it found a newer one, the Store writes nothing until it finds its own.
func (s *Store) CheckSchema(ctx context.Context) error {
	var tables int
	if err := s.reader.GetContext(ctx, &tables, s.reader.Rebind(s.d.schemaTable), versionTable); err != nil {
		return fmt.Errorf("looking for the schema: %w", err)
	}
	if tables == 0 {
		return ErrSchemaMissing
	}
	var have int64
	if err := s.reader.GetContext(ctx, &have, schemaVersion); err != nil {
		return fmt.Errorf("reading the version of the schema: %w", err)
	}
	return s.judgeSchema(have)
}

const schemaVersion = "SELECT coalesce(max(version_id), 0) FROM " + versionTable + " WHERE is_applied"

// judgeSchema says how a version of the schema goes with this program, and remembers whether it may write.
func (s *Store) judgeSchema(have int64) error {
	want, err := s.d.latest()
	if err != nil {
		return err
	}
	s.outdated.Store(have > want)
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

// mayWrite is ErrSchemaNewer when a newer program has migrated the database since this one began: what this one would write
// may lack what the newer one relies on.
func (s *Store) mayWrite() error {
	if s.outdated.Load() {
		return fmt.Errorf("nothing is written: %w", ErrSchemaNewer)
	}
	return nil
}

// watchSchema looks, in a transaction, whether a newer program has migrated the database.
func (s *Store) watchSchema(ctx context.Context, x *txn) error {
	var have int64
	if err := x.get(ctx, &have, schemaVersion); err != nil {
		return fmt.Errorf("reading the version of the schema: %w", err)
	}
	if err := s.judgeSchema(have); errors.Is(err, ErrSchemaNewer) {
		return err
	}
	return nil
}

// CheckEncoding returns ErrEncoding when the database cannot store every text that Ganeti may send.
func (s *Store) CheckEncoding(ctx context.Context) error {
	if s.d.encoding == "" {
		return nil
	}
	var have string
	if err := s.reader.GetContext(ctx, &have, s.d.encoding); err != nil {
		return fmt.Errorf("reading the encoding of the database: %w", err)
	}
	if have != "UTF8" {
		return fmt.Errorf("the database is encoded in %s: %w", have, ErrEncoding)
	}
	return nil
}
