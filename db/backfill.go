package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Remaker makes what is stored anew, as today's program would store it: a version that parses a column differently, or
// hides more, brings the rows of before up to date with it. It is safe for concurrent use.
//
// To have rows brought up to date by a new version, change the Remaker's Name; to have another table walked through, add
// it to backfillParts.
type Remaker interface {
	// Name tells one form of what is stored from another. A backfill is done once for each name.
	Name() string
	// Row makes the row of an object from its info on record; the row's info is as it would be stored today. An error says
	// that today's program would not take the object: its columns stay as they are.
	Row(k Kind, info JSON) (Row, error)
	// Info gives other JSON on record (a cluster's info, an object kept in changes) as it would be stored today.
	Info(info JSON) (JSON, error)
	// Fields does that for the fields of an entry in changes.
	Fields(fields JSON) (JSON, error)
	// Raw does that for an item in quarantine, which may be no JSON at all and may be cut.
	Raw(raw string) string
}

// Bounds of a batch: some 50 ms of work, in one short transaction.
const backfillRows = 250

// BackfillStep is what one call of Backfill did.
type BackfillStep struct {
	// Part is the table it worked on.
	Part string
	// Checked and Changed count rows.
	Checked, Changed int64
	// Busy says that another process is at it, or that rows were locked: try again later.
	Busy bool
	// Done says that nothing is left to do, in any table.
	Done bool
}

// backfillPart is one table to walk through, by id.
type backfillPart struct {
	table string
	// batch brings the rows after an id up to date and returns the last id it looked at; 0 when there was none.
	batch func(ctx context.Context, b *backfillBatch, after int64) (last int64, err error)
}

// errMoved says that rows changed between reading and writing them: the batch is done again.
var errMoved = errors.New("rows changed meanwhile")

// backfillBatch is one batch under way.
type backfillBatch struct {
	x                *txn
	remake           Remaker
	checked, changed int64
}

// backfillParts lists the tables in the order of the walk. Entries in changes come last: what is appended meanwhile may
// still tell of rows as they were.
func (s *Store) backfillParts() []backfillPart {
	parts := []backfillPart{{"clusters", backfillClusters}}
	for _, k := range kindTables() {
		parts = append(parts, backfillPart{k.name, backfillObjects(s.tables[k.kind])})
	}
	return append(parts, backfillPart{"quarantine", backfillQuarantine}, backfillPart{"changes", backfillChanges})
}

// backfilled remembers which parts are through: they stay so.
type backfilled struct {
	mu   sync.Mutex
	done map[string]bool
	// begun says that the empty tables were looked for, all that nothing is left.
	begun, all atomic.Bool
}

func (b *backfilled) has(part string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done[part]
}

func (b *backfilled) add(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done == nil {
		b.done = make(map[string]bool)
	}
	b.done[part] = true
}

// Backfill brings the next batch of stored rows up to what this program stores (see [Remaker]), in one short transaction
// that keeps how far it came. No entry in changes is made, observed_at, digests and generations stay: what is on record
// says the same as before. One process at a time does it; rows that a refresh has locked are waited for half a second at
// most, then the step is Busy.
func (s *Store) Backfill(ctx context.Context) (BackfillStep, error) {
	if s.remake == nil || s.backfilled.all.Load() {
		return BackfillStep{Done: true}, nil
	}
	if err := s.skipEmpty(ctx); err != nil {
		return BackfillStep{}, err
	}
	for _, part := range s.backfillParts() {
		if s.backfilled.has(part.table) {
			continue
		}
		step, ended, err := s.backfill(ctx, part)
		if ended {
			s.backfilled.add(part.table)
		}
		if err != nil {
			return step, fmt.Errorf("bringing stored rows of %s up to date: %w", part.table, err)
		}
		if !ended || step.Checked > 0 {
			return step, nil
		}
	}
	if err := s.d.endWipe(ctx, s.writer); err != nil {
		return BackfillStep{}, fmt.Errorf("removing what rows were from the database file: %w", err)
	}
	s.backfilled.all.Store(true)
	return BackfillStep{Done: true}, nil
}

// skipEmpty notes, once, that tables without rows have none of an earlier version: what comes into them is of today.
func (s *Store) skipEmpty(ctx context.Context) error {
	if s.backfilled.begun.Load() {
		return nil
	}
	err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
		for _, part := range s.backfillParts() {
			_, err := x.exec(ctx, "INSERT INTO backfills (name, part, done_at) SELECT ?, ?, "+x.d.clock+" WHERE NOT EXISTS (SELECT 1 FROM "+
				part.table+") ON CONFLICT DO NOTHING", s.remake.Name(), part.table)
			if err != nil {
				return fmt.Errorf("noting that %s needs no work: %w", part.table, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.backfilled.begun.Store(true)
	return nil
}

// backfill does one batch; ended says that the part is through.
func (s *Store) backfill(ctx context.Context, part backfillPart) (step BackfillStep, ended bool, err error) {
	if err := s.d.startWipe(ctx, s.writer); err != nil {
		return step, false, err
	}
	err = s.tryTx(ctx, func(ctx context.Context, x *txn) error {
		step, ended = BackfillStep{Part: part.table}, false
		if s.d.hurry != "" {
			if _, err := x.exec(ctx, s.d.hurry); err != nil {
				return fmt.Errorf("limiting a transaction: %w", err)
			}
		}
		at, err := lockBackfill(ctx, x, s.remake.Name(), part.table)
		if err != nil || at == nil {
			step.Busy = err == nil
			return err
		}
		if ended = at.DoneAt != nil; ended {
			return errRollback
		}
		b := &backfillBatch{x: x, remake: s.remake}
		last, err := part.batch(ctx, b, at.LastID)
		if err != nil {
			return err
		}
		step.Checked, step.Changed, ended = b.checked, b.changed, last == 0
		return at.move(ctx, x, max(last, at.LastID), b, ended)
	})
	switch {
	case errors.Is(err, errRollback):
		err = nil
	case errors.Is(err, errMoved):
		return BackfillStep{Part: part.table, Busy: true}, false, nil
	case err != nil && ctx.Err() == nil && (s.d.retryable(err) || TroubleOf(err) == TroubleLocked):
		// The refresh goes first.
		return BackfillStep{Part: part.table, Busy: true}, false, nil
	}
	return step, ended && err == nil, err
}

// backfillRow is how far a part came.
type backfillRow struct {
	Name    string     `db:"name"`
	Part    string     `db:"part"`
	LastID  int64      `db:"last_id"`
	Checked int64      `db:"checked"`
	Changed int64      `db:"changed"`
	DoneAt  *time.Time `db:"done_at"`
}

const selectBackfill = "SELECT name, part, last_id, checked, changed, done_at FROM backfills WHERE name = ? AND part = ?"

// lockBackfill takes the right to go on with a part; nil when another process has it.
func lockBackfill(ctx context.Context, x *txn, name, part string) (*backfillRow, error) {
	var row backfillRow
	err := x.get(ctx, &row, selectBackfill+x.d.skipLocked, name, part)
	if errors.Is(err, sql.ErrNoRows) {
		n, err := x.exec(ctx, "INSERT INTO backfills (name, part) VALUES (?, ?) ON CONFLICT DO NOTHING", name, part)
		if err != nil || n == 0 {
			return nil, err
		}
		return &backfillRow{Name: name, Part: part}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading how far %s came: %w", part, err)
	}
	return &row, nil
}

func (r *backfillRow) move(ctx context.Context, x *txn, last int64, b *backfillBatch, ended bool) error {
	done := "NULL"
	if ended {
		done = x.d.clock
	}
	_, err := x.exec(ctx, "UPDATE backfills SET last_id = ?, checked = checked + ?, changed = changed + ?, updated_at = "+x.d.clock+
		", done_at = "+done+" WHERE name = ? AND part = ?", last, b.checked, b.changed, r.Name, r.Part)
	if err != nil {
		return fmt.Errorf("noting how far %s came: %w", r.Part, err)
	}
	return nil
}

// remaker is for rows of a table that may still be as an earlier version stored them; nil when there are none.
func (s *Store) remaker(ctx context.Context, x *txn, table string) (Remaker, error) {
	if s.remake == nil || s.backfilled.has(table) {
		return nil, nil
	}
	var done bool
	query := "SELECT EXISTS (SELECT 1 FROM backfills WHERE name = ? AND part = ? AND done_at IS NOT NULL)"
	if err := x.get(ctx, &done, query, s.remake.Name(), table); err != nil {
		return nil, fmt.Errorf("reading how far %s came: %w", table, err)
	}
	if done {
		s.backfilled.add(table)
		return nil, nil
	}
	return s.remake, nil
}
