package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Freshness is a row of freshness: the age and the health of one cluster's kind.
type Freshness struct {
	ClusterID int64 `db:"cluster_id"`
	Kind      Kind  `db:"kind"`
	// AttemptedAt is the start of the newest attempt; RefreshedAt that of the newest complete answer applied whole.
	AttemptedAt *time.Time `db:"attempted_at"`
	RefreshedAt *time.Time `db:"refreshed_at"`
	// SnapshotAt is like RefreshedAt, but also set when the answer's removals were withheld.
	SnapshotAt *time.Time `db:"snapshot_at"`
	DurationMS int64      `db:"duration_ms"`
	Bytes      int64      `db:"bytes"`
	Objects    int64      `db:"objects"`
	// Error is the last attempt's, "" after a success; ErrorReason is its short label.
	Error               string     `db:"error"`
	ErrorReason         string     `db:"error_reason"`
	ConsecutiveFailures int        `db:"consecutive_failures"`
	NextDueAt           *time.Time `db:"next_due_at"`
	// Generation goes up with every transaction that wrote rows of the kind.
	Generation int64   `db:"generation"`
	Pending    Pending `db:"pending"`
	// Approved is how many withheld removals were approved: the next complete answer may remove that many.
	Approved int `db:"approved_count"`
	// AttemptTicket and SnapshotTicket are the numbers of the requests that AttemptedAt and SnapshotAt are the times of: they
	// order answers, the times inform people.
	AttemptTicket  int64 `db:"attempt_ticket"`
	SnapshotTicket int64 `db:"snapshot_ticket"`
	// LeaseToken is the fencing token of the last writer; 0 when it had no lease.
	LeaseToken int64 `db:"lease_token"`
}

// Pending describes removals that were withheld.
type Pending struct {
	// Count is how many, Digest a hash that tells which, Seen in how many complete snapshots they were absent.
	Count  int    `db:"count"`
	Digest string `db:"digest"`
	Seen   int    `db:"seen"`
}

func (f *Freshness) clean() {
	for _, t := range []**time.Time{&f.AttemptedAt, &f.RefreshedAt, &f.SnapshotAt, &f.NextDueAt} {
		cleanField(t)
	}
}

const selectFreshness = `
SELECT cluster_id, kind, attempted_at, refreshed_at, snapshot_at, duration_ms, bytes, objects, error, error_reason,
       consecutive_failures, next_due_at, generation,
       pending_count AS "pending.count", pending_digest AS "pending.digest", pending_seen AS "pending.seen",
       approved_count, lease_token, attempt_ticket, snapshot_ticket
FROM freshness`

// Freshness returns the cluster's kinds that were attempted so far.
func (s *Store) Freshness(ctx context.Context, clusterID int64) (map[Kind]Freshness, error) {
	var rows []Freshness
	if err := s.read(ctx, &rows, selectFreshness+" WHERE cluster_id = ?", clusterID); err != nil {
		return nil, fmt.Errorf("reading the freshness of cluster %d: %w", clusterID, err)
	}
	fresh := make(map[Kind]Freshness, len(rows))
	for _, f := range rows {
		f.clean()
		fresh[f.Kind] = f
	}
	return fresh, nil
}

const updateFreshness = `
UPDATE freshness
SET attempted_at = ?, refreshed_at = ?, snapshot_at = ?, duration_ms = ?, bytes = ?, objects = ?, error = ?,
    error_reason = ?, consecutive_failures = ?, next_due_at = ?, generation = ?, pending_count = ?,
    pending_digest = ?, pending_seen = ?, approved_count = ?, lease_token = ?,
    attempt_ticket = ?, snapshot_ticket = ?
WHERE cluster_id = ? AND kind = ?`

// save writes a row that lockKind locked.
func (f *Freshness) save(ctx context.Context, x *txn) error {
	f.clean()
	_, err := x.exec(ctx, updateFreshness, f.AttemptedAt, f.RefreshedAt, f.SnapshotAt, f.DurationMS, f.Bytes, f.Objects,
		cleanText(f.Error), f.ErrorReason, f.ConsecutiveFailures, f.NextDueAt, f.Generation, f.Pending.Count,
		f.Pending.Digest, f.Pending.Seen, f.Approved, f.LeaseToken, f.AttemptTicket, f.SnapshotTicket, f.ClusterID, f.Kind)
	if err != nil {
		return fmt.Errorf("writing the freshness: %w", err)
	}
	return nil
}

// succeed records a complete answer.
func (f *Freshness) succeed(t Touch) {
	f.attempt(t.StartedAt, t.Ticket)
	f.RefreshedAt, f.SnapshotAt, f.SnapshotTicket = &t.StartedAt, &t.StartedAt, t.Ticket
	f.DurationMS, f.Bytes, f.Objects = t.Duration.Milliseconds(), t.Bytes, int64(t.Objects)
	f.Error, f.ErrorReason, f.ConsecutiveFailures = "", "", 0
	f.NextDueAt = timeOrNil(t.NextDue)
	f.Pending, f.Approved = Pending{}, 0
}

// withhold records a complete answer whose removals were not made: the rows' age stays what it was.
func (f *Freshness) withhold(t Touch, d Decision) {
	refreshed, failures, approved := f.RefreshedAt, f.ConsecutiveFailures, f.Approved
	f.succeed(t)
	f.RefreshedAt, f.ConsecutiveFailures, f.Approved = refreshed, failures+1, approved
	f.Error, f.ErrorReason, f.Pending = d.Error, d.Reason, d.Pending
}

// attempt notes when an attempt began, unless a later one has begun.
func (f *Freshness) attempt(at time.Time, ticket int64) {
	if f.AttemptedAt != nil && f.AttemptTicket > ticket {
		return
	}
	f.AttemptedAt, f.AttemptTicket = &at, ticket
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Touch is a complete answer that holds nothing new.
type Touch struct {
	Kind      Kind
	StartedAt time.Time
	// Ticket is as in Snapshot.
	Ticket   int64
	Duration time.Duration
	Bytes    int64
	Objects  int
	// NextDue is when the kind is due again; zero is stored as NULL.
	NextDue time.Time
	// Generation is that of the record the answer was compared with.
	Generation int64
}

// TouchFresh stamps the freshness of kinds whose answers equal the record: one statement for all of them, and nothing
// else is written. Errors, failures and pending removals are cleared. ErrConflict when the record of a kind has moved on
// or a newer answer was recorded (the others are stamped then, rightly); ErrDisabled; ErrDuplicateCluster; ErrLeaseLost, when
// l is not nil and not held any more.
func (s *Store) TouchFresh(ctx context.Context, clusterID int64, l *Lease, touches []Touch) error {
	if len(touches) == 0 {
		return nil
	}
	// In one order everywhere, so that two writers of several kinds do not wait for each other.
	touches = slices.SortedFunc(slices.Values(touches), func(a, b Touch) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
	args := make([]any, 0, 12*len(touches)+4)
	if l != nil {
		args = append(args, clusterID, l.Holder, l.Token)
	}
	for _, t := range touches {
		started := cleanTime(t.StartedAt)
		due := timeOrNil(t.NextDue)
		cleanField(&due)
		args = append(args, clusterID, t.Kind, started, started, started, t.Duration.Milliseconds(), t.Bytes, t.Objects,
			due, t.Generation, t.Ticket, t.Ticket)
	}
	args = append(args, l.token())
	query := s.writer.Rebind(s.touchStatement(len(touches), l != nil))
	var stamped int64
	if err := s.mayWrite(); err != nil {
		return fmt.Errorf("stamping the freshness of cluster %d: %w", clusterID, err)
	}
	err := s.retry(ctx, func() error {
		result, err := s.writer.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		stamped, err = result.RowsAffected()
		return err
	})
	if err == nil && stamped < int64(len(touches)) {
		err = s.whyNotStamped(ctx, clusterID, l)
	}
	if err != nil {
		return fmt.Errorf("stamping the freshness of cluster %d: %w", clusterID, err)
	}
	return nil
}

// touchStatement does not wait for the disk (dialect.noSync): after a crash the stamp of the last moments may be gone,
// which makes the rows look a little older than they are and costs nothing else.
//
// With fenced, the arguments begin with cluster, holder and token of a lease, which is locked as by fence; they end with
// the token to leave behind.
func (s *Store) touchStatement(n int, fenced bool) string {
	const columns = "cluster_id, kind, attempted_at, refreshed_at, snapshot_at, duration_ms, bytes, objects, next_due_at, generation, " +
		"attempt_ticket, snapshot_ticket"
	types := []string{
		"bigint", "text", "timestamptz", "timestamptz", "timestamptz", "bigint", "bigint", "bigint", "timestamptz", "bigint",
		"bigint", "bigint",
	}
	row := make([]string, len(types))
	for i, typ := range types {
		row[i] = s.d.cast("?", typ)
	}
	values := "(" + strings.Join(row, ", ") + ")"
	lease, held := "", ""
	if fenced {
		lease = "lease AS (SELECT 1 FROM leases WHERE cluster_id = ? AND holder = ? AND token = ?" + s.d.forUpdate + "), "
		held = " AND EXISTS (SELECT 1 FROM lease)"
	}
	return "WITH " + lease + "t (" + columns + ") AS (VALUES " + values + strings.Repeat(", "+values, n-1) + `)
INSERT INTO freshness (` + columns + `, lease_token)
SELECT t.cluster_id, t.kind, t.attempted_at, t.refreshed_at, t.snapshot_at, t.duration_ms, t.bytes, t.objects,
       t.next_due_at, t.generation, t.attempt_ticket, t.snapshot_ticket, ` + s.d.cast("?", "bigint") + `
FROM t JOIN clusters c ON c.id = t.cluster_id AND c.enabled
WHERE ` + s.d.noSync + held + `
  AND NOT EXISTS (SELECT 1 FROM clusters twin WHERE ` + giveWay("c.uuid") + `)
ON CONFLICT (cluster_id, kind) DO UPDATE
SET attempted_at = excluded.attempted_at, refreshed_at = excluded.refreshed_at, snapshot_at = excluded.snapshot_at,
    duration_ms = excluded.duration_ms, bytes = excluded.bytes, objects = excluded.objects, error = '',
    error_reason = '', consecutive_failures = 0, next_due_at = excluded.next_due_at,
    pending_count = 0, pending_digest = '', pending_seen = 0, approved_count = 0, lease_token = excluded.lease_token,
    attempt_ticket = excluded.attempt_ticket, snapshot_ticket = excluded.snapshot_ticket
-- the record must be the one that was compared, and no newer answer may have been recorded
WHERE freshness.generation = excluded.generation
  AND ` + notNewer("freshness.snapshot_ticket", "excluded.snapshot_ticket")
}

func (s *Store) whyNotStamped(ctx context.Context, clusterID int64, l *Lease) error {
	var clusters []Cluster
	if err := s.read(ctx, &clusters, selectClusters+" WHERE id = ?", clusterID); err != nil {
		return err
	}
	switch {
	case len(clusters) == 0:
		return ErrNotFound
	case !clusters[0].Enabled:
		return ErrDisabled
	}
	if c := &clusters[0]; c.UUID != "" {
		if err := s.Twin(ctx, *c, c.UUID); err != nil {
			return err
		}
	}
	if l == nil {
		return ErrConflict
	}
	var held int
	query := "SELECT count(*) FROM leases WHERE cluster_id = ? AND holder = ? AND token = ?"
	if err := s.read1(ctx, &held, query, clusterID, l.Holder, l.Token); err != nil {
		return err
	}
	if held == 0 {
		return ErrLeaseLost
	}
	return ErrConflict
}

// Failure is an attempt that gave no complete answer.
type Failure struct {
	Kinds       []Kind
	AttemptedAt time.Time
	// Ticket is that of the request that failed, or of one that was drawn when it was given up.
	Ticket int64
	// Error is a sentence for the operator, Reason a short label for its class.
	Error, Reason string
	// NextDue says when to try again after so many failures in a row.
	NextDue func(failures int) time.Time
	// Lease in whose name the failure is recorded; nil asks for none.
	Lease *Lease
}

// RecordFailure stores the error and counts it; rows, their age and pending removals stay as they are. It returns the
// greatest number of failures in a row among the kinds. A kind for which a newer answer was applied meanwhile, and a
// disabled cluster, are left alone. ErrLeaseLost.
func (s *Store) RecordFailure(ctx context.Context, clusterID int64, f Failure) (int, error) {
	attempted := cleanTime(f.AttemptedAt)
	failures := 0
	err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
		failures = 0
		for _, k := range slices.Sorted(slices.Values(f.Kinds)) {
			locked, err := lockKind(ctx, x, kindLock{clusterID: clusterID, kind: k, lease: f.Lease})
			if err != nil {
				return err
			}
			row := &locked.Freshness
			a := applier{x: x, snap: &Snapshot{Ticket: f.Ticket}}
			switch newer, err := a.newer(ctx, row.SnapshotTicket); {
			case err != nil:
				return err
			case newer:
				continue
			}
			row.attempt(attempted, f.Ticket)
			row.Error, row.ErrorReason = f.Error, f.Reason
			row.ConsecutiveFailures++
			failures = max(failures, row.ConsecutiveFailures)
			if f.NextDue != nil {
				row.NextDueAt = timeOrNil(f.NextDue(row.ConsecutiveFailures))
			}
			if err := row.save(ctx, x); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, ErrDisabled) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("recording the failure of cluster %d: %w", clusterID, err)
	}
	return failures, nil
}
