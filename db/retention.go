package db

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrAmbiguous means that several objects are called so.
var ErrAmbiguous = errors.New("several objects are called so")

// forgetRows is how many entries one transaction deletes: others wait for its turn.
const forgetRows = 1000

// ChangesKept says how long entries of changes are kept where nothing else is configured; 0 is for ever. It was settled when
// the database was made: a year, or for ever if it was there before entries were ever deleted.
func (s *Store) ChangesKept(ctx context.Context) (time.Duration, error) {
	var days int64
	if err := s.reader.GetContext(ctx, &days, "SELECT retention_days FROM change_log"); err != nil {
		return 0, fmt.Errorf("reading how long changes are kept: %w", err)
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

// PurgeChanges deletes the entries that were recorded before a time, the oldest first and some at a time, and returns their
// number. Who reads on from before the last of them gets ErrCursorGone.
func (s *Store) PurgeChanges(ctx context.Context, recordedBefore time.Time) (int64, error) {
	before := cleanTime(recordedBefore)
	var purged int64
	for {
		var n int64
		err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
			var err error
			n, err = purgeChanges(ctx, x, before)
			return err
		})
		if err != nil {
			return purged, fmt.Errorf("deleting the changes recorded before %s: %w", before.Format(time.RFC3339), err)
		}
		if purged += n; n == 0 {
			return purged, nil
		}
	}
}

func purgeChanges(ctx context.Context, x *txn, before time.Time) (int64, error) {
	// Times never decrease with the ids, so that the oldest are at the beginning; where that is, change_log knows.
	query := `
SELECT id, recorded_at FROM (
    SELECT id, recorded_at FROM changes WHERE id > (SELECT kept_after FROM change_log) ORDER BY id LIMIT ?
) oldest WHERE recorded_at < ? ORDER BY id DESC LIMIT 1`
	var found []struct {
		ID int64     `db:"id"`
		At time.Time `db:"recorded_at"`
	}
	if err := x.all(ctx, &found, query, forgetRows, before); err != nil || len(found) == 0 {
		return 0, err
	}
	n, err := x.exec(ctx, "DELETE FROM changes WHERE id > (SELECT kept_after FROM change_log) AND id <= ?", found[0].ID)
	if err != nil {
		return 0, err
	}
	_, err = x.exec(ctx, `
UPDATE change_log SET kept_after = ?, complete_from = ? WHERE kept_after < ?`, found[0].ID, cleanTime(found[0].At), found[0].ID)
	return n, err
}

// Forgotten chooses the entries that ForgetChanges deletes.
type Forgotten struct {
	UUID string
	// Cluster is a name and Kind a kind; empty for any, as long as all entries are of one object.
	Cluster string
	Kind    Kind
}

// ForgetChanges deletes all entries of an object for good, whether or not its row is still there, and returns their number.
// No cursor minds. ErrNotFound, ErrAmbiguous.
func (s *Store) ForgetChanges(ctx context.Context, f Forgotten) (int64, error) {
	condition, args := "ch.uuid = ?", []any{cleanText(f.UUID)}
	if f.Cluster != "" {
		condition, args = condition+" AND ch.cluster_id = (SELECT id FROM clusters WHERE name = ?)", append(args, cleanText(f.Cluster))
	}
	if f.Kind != "" {
		condition, args = condition+" AND ch.kind = ?", append(args, f.Kind)
	}
	var owners []struct {
		ClusterID int64 `db:"cluster_id"`
		Kind      Kind  `db:"kind"`
	}
	if err := s.read(ctx, &owners, "SELECT DISTINCT ch.cluster_id, ch.kind FROM changes ch WHERE "+condition, args...); err != nil {
		return 0, fmt.Errorf("looking for the changes of %q: %w", shorten(f.UUID), err)
	}
	switch {
	case len(owners) == 0:
		return 0, fmt.Errorf("no changes of %q: %w", shorten(f.UUID), ErrNotFound)
	case len(owners) > 1:
		return 0, fmt.Errorf("%q in %d kinds or clusters (say which): %w", shorten(f.UUID), len(owners), ErrAmbiguous)
	}
	var forgotten int64
	query := "DELETE FROM changes WHERE id IN (SELECT ch.id FROM changes ch WHERE ch.cluster_id = ? AND ch.kind = ? AND ch.uuid = ? ORDER BY ch.id LIMIT ?)"
	for {
		var n int64
		err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
			var err error
			n, err = x.exec(ctx, query, owners[0].ClusterID, owners[0].Kind, cleanText(f.UUID), forgetRows)
			return err
		})
		if err != nil {
			return forgotten, fmt.Errorf("deleting the changes of %q: %w", shorten(f.UUID), err)
		}
		if forgotten += n; n < forgetRows {
			return forgotten, nil
		}
	}
}
