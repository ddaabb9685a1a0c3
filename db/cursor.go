package db

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// ErrCursorGone means that a reader of changes cannot go on where it left off: what it is to be told has been deleted, or
// its place is in a history that this database does not have. The error is a [*CursorGoneError].
var ErrCursorGone = errors.New("the log of changes cannot be read on from there")

// CursorGoneError says from where a reader can begin again. It is ErrCursorGone.
type CursorGoneError struct {
	// After is the id behind which the reader wanted to go on.
	After int64
	// Oldest is the id of the oldest entry that is kept, 0 when there is none.
	Oldest int64
	// Why is a sentence for a person.
	Why string
}

// Error implements error.
func (e *CursorGoneError) Error() string {
	return fmt.Sprintf("%v (%d): %s; read what is there anew and begin with after=0, the oldest entry kept (%d)",
		ErrCursorGone, e.After, e.Why, e.Oldest)
}

// Is makes the error ErrCursorGone.
func (e *CursorGoneError) Is(target error) bool { return target == ErrCursorGone }

// ChangeEpoch is a part of the log of changes: what one run of a program wrote, and others after it, up to the next epoch.
type ChangeEpoch struct {
	FirstID int64  `db:"first_id"`
	Epoch   string `db:"epoch"`
}

// ChangeEpochs are epochs in the order of their ids.
type ChangeEpochs []ChangeEpoch

// Of names the epoch of an entry, "" for one from before there were epochs.
func (e ChangeEpochs) Of(id int64) string {
	epoch := ""
	for _, one := range e {
		if one.FirstID > id {
			break
		}
		epoch = one.Epoch
	}
	return epoch
}

// ChangeEpochs returns the epochs of the entries from first to last.
func (s *Store) ChangeEpochs(ctx context.Context, first, last int64) (ChangeEpochs, error) {
	var epochs ChangeEpochs
	query := `
SELECT first_id, epoch FROM change_epochs
WHERE first_id <= ? AND first_id >= (SELECT coalesce(max(first_id), 0) FROM change_epochs WHERE first_id <= ?)
ORDER BY first_id`
	if err := s.read(ctx, &epochs, query, last, first); err != nil {
		return nil, fmt.Errorf("reading the epochs of the changes %d to %d: %w", first, last, err)
	}
	return epochs, nil
}

// checkCursor makes sure that the log goes on behind a position: that its id was given out, in the epoch that the position
// names, and that nothing behind it was deleted. It comes after the reading, or what is deleted between the two would be
// missing silently. An empty epoch is one that the reader does not know.
func (s *Store) checkCursor(ctx context.Context, after int64, epoch string) error {
	if after == 0 {
		return nil
	}
	var log struct {
		// Last is the last id given out; nil where that cannot be known yet, on a standby that may lag behind.
		Last   *int64 `db:"last"`
		Oldest int64  `db:"oldest"`
		// Kept is the id up to which entries are not kept any more.
		Kept  int64  `db:"kept"`
		Epoch string `db:"epoch"`
	}
	query := "SELECT " + s.d.lastChange + ` AS last, (SELECT coalesce(min(id), 0) FROM changes) AS oldest,
       (SELECT coalesce(max(kept_after), 0) FROM change_log) AS kept,
       coalesce((SELECT epoch FROM change_epochs WHERE first_id <= ? ORDER BY first_id DESC LIMIT 1), '') AS epoch`
	if err := s.read1(ctx, &log, query, after); err != nil {
		return fmt.Errorf("looking at the log of changes: %w", err)
	}
	gone := &CursorGoneError{After: after, Oldest: log.Oldest}
	switch {
	case log.Last != nil && after > *log.Last:
		gone.Why = fmt.Sprintf("no entry after %d was ever written here: the database is another one, or was restored", *log.Last)
	case epoch != "" && epoch != log.Epoch:
		gone.Why = "the database was restored from a back-up, and the history since then is gone"
	case after < log.Kept:
		gone.Why = fmt.Sprintf("entries up to %d are not kept any more (retention_changes)", log.Kept)
	default:
		return nil
	}
	return gone
}

// beginEpoch begins an epoch of the log if this Store has not begun one. It comes before the first entry of a transaction.
// Who looks only once would not notice that another database has been put in the place of the one it knew.
func (x *txn) beginEpoch(ctx context.Context, epoch string) error {
	var known bool
	if err := x.get(ctx, &known, "SELECT EXISTS (SELECT 1 FROM change_epochs WHERE epoch = ?)", epoch); err != nil {
		return fmt.Errorf("looking for the epoch of the changes: %w", err)
	}
	if known {
		return nil
	}
	if x.d.lockLog != "" {
		if _, err := x.exec(ctx, x.d.lockLog); err != nil {
			return fmt.Errorf("waiting for the turn to append: %w", err)
		}
	}
	// An epoch without entries has no cursors that name it, so that its place is free.
	query := "INSERT INTO change_epochs (first_id, epoch) SELECT " + x.d.lastChange + " + 1, " + x.d.cast("?", "text") + `
WHERE NOT EXISTS (SELECT 1 FROM change_epochs WHERE epoch = ?)
ON CONFLICT (first_id) DO UPDATE SET epoch = excluded.epoch, begun_at = excluded.begun_at`
	if _, err := x.exec(ctx, query, epoch, epoch); err != nil {
		return fmt.Errorf("beginning an epoch of the changes: %w", err)
	}
	return nil
}

// newEpoch draws a name that no other Store has: 50 bits.
func newEpoch() string { return strings.ToLower(rand.Text()[:10]) }
