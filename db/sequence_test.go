package db_test

import (
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// Ids of changes are given out before the commit. A transaction that appends waits for the one before it, or a reader
// that follows the ids would pass over those of the slower one.
func TestApply_AppendsInTurn(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	id := oneCluster(t, s)
	first := must(s.Writer().BeginTxx(t.Context(), nil))(t)
	defer first.Rollback()
	// An insert by whatever means takes its turn, also that of an updater of before.
	const insert = "INSERT INTO changes (cluster_id, kind, object_id, uuid, name, op, observed_at)" +
		" VALUES ($1, 'vm', 1, 'u', 'n', 'created', now()) RETURNING id"
	var early, late int64
	if err := first.GetContext(t.Context(), &early, insert, id); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Apply(t.Context(), snapshot(id, 0, 1, 0))
		done <- err
	}()
	waitFor(t, s, sessionWaits)
	// What the second has drawn by now would be smaller than what the first draws yet.
	if err := first.GetContext(t.Context(), &early, insert, id); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := s.DB().GetContext(t.Context(), &late, "SELECT min(id) FROM changes WHERE uuid <> 'u'"); err != nil {
		t.Fatal(err)
	}
	if late <= early {
		t.Errorf("entry %d became visible after entry %d", late, early)
	}
}

// Who locks a lease and a freshness row takes the lease first, or two of them could wait for each other.
func TestApply_LocksTheLeaseFirst(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	id := oneCluster(t, s)
	apply(t, s, snapshot(id, 0, 1, 0))
	lease := must(s.Share(t.Context(), db.Replica{ID: "one", Host: "a", PID: 1, TTL: time.Hour}, []int64{id}))(t).Leases[0]
	other := must(s.Writer().BeginTxx(t.Context(), nil))(t)
	defer other.Rollback()
	if _, err := other.ExecContext(t.Context(), "SELECT 1 FROM leases FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	snap := snapshot(id, 1, 1, 1)
	snap.Lease = &lease
	done := make(chan error, 1)
	go func() {
		_, err := s.Apply(t.Context(), snap)
		done <- err
	}()
	waitFor(t, s, sessionWaits)
	if _, err := other.ExecContext(t.Context(), "SELECT 1 FROM freshness FOR UPDATE NOWAIT"); err != nil {
		t.Errorf("who waits for the lease has locked the freshness: %v", err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
