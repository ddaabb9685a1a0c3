package db_test

import (
	"context"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// A replica is stopped in the middle of an apply, for longer than its lease, and wakes up when another has taken over.
func TestApply_ReplicaStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		rows int // in the table before: none means a straight COPY
	}{{"in a COPY, where the server waits for rows", 0}, {"between two statements", 5000}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := dbtest.Postgres(t)
			id := oneCluster(t, s)
			generation := int64(0)
			if tt.rows > 0 {
				apply(t, s, snapshot(id, 0, tt.rows, 0))
				generation = 1
			}
			stopped := db.Replica{ID: "stopped", Host: "a", PID: 1, TTL: time.Second}
			heir := db.Replica{ID: "heir", Host: "b", PID: 2, TTL: time.Hour}
			lease := must(s.Share(t.Context(), stopped, []int64{id}))(t).Leases[0]

			snap := snapshot(id, generation, 5000, 1)
			snap.Lease = &lease
			asleep, wake := make(chan struct{}), make(chan struct{})
			snap.Changed = stopAt(snap.Changed, 3000, asleep, wake)
			result := make(chan error, 1)
			go func() {
				_, err := s.Apply(context.WithoutCancel(t.Context()), snap)
				result <- err
			}()
			<-asleep
			waitFor(t, s, "SELECT expires_at < clock_timestamp() FROM replicas WHERE id = 'stopped'")

			blocked := must(s.Share(t.Context(), heir, []int64{id}))(t)
			if len(blocked.Leases) != 0 || blocked.Ended != 1 {
				t.Errorf("while the other writes: %d leases, %d sessions ended; want none, and its session ended", len(blocked.Leases), blocked.Ended)
			}
			waitFor(t, s, "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'relation' AND relation = 'virtual_machines'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
			taken := must(s.Share(t.Context(), heir, []int64{id}))(t)
			if len(taken.Leases) != 1 || taken.Leases[0].Token != lease.Token+1 || taken.TakenOver != 1 {
				t.Fatalf("after that: %+v, want the lease with the next token", taken)
			}
			next := snapshot(id, generation, 7, 2)
			next.Lease = &taken.Leases[0]
			out := apply(t, s, next)

			close(wake)
			if err := <-result; err == nil {
				t.Error("the stopped replica applied its snapshot after it woke up")
			}
			if got := must(s.Fingerprints(t.Context(), id, db.KindVM))(t); got.Generation != out.Generation || len(got.Items) != max(7, tt.rows) {
				t.Errorf("%d rows in generation %d, want the heir's %d in %d", len(got.Items), got.Generation, max(7, tt.rows), out.Generation)
			}
		})
	}
}

// A replica that takes over waits for no transaction of a living one.
func TestShare_LeavesAWriterAlone(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	id := oneCluster(t, s)
	writer := db.Replica{ID: "a-writer", Host: "a", PID: 1, TTL: time.Hour}
	lease := must(s.Share(t.Context(), writer, []int64{id}))(t).Leases[0]
	snap := snapshot(id, 0, 5000, 1)
	snap.Lease = &lease
	asleep, wake := make(chan struct{}), make(chan struct{})
	snap.Changed = stopAt(snap.Changed, 3000, asleep, wake)
	result := make(chan error, 1)
	go func() {
		_, err := s.Apply(context.WithoutCancel(t.Context()), snap)
		result <- err
	}()
	<-asleep
	// It does not know the cluster any more, and would give it back but for the transaction.
	shares := must(s.Share(t.Context(), writer, nil))(t)
	if len(shares.Leases) != 0 || shares.Ended != 0 {
		t.Errorf("heartbeat during the write: %+v", shares)
	}
	close(wake)
	if err := <-result; err != nil {
		t.Errorf("the writer: %v", err)
	}
}

// stopAt stops in the middle of the items until wake is closed.
func stopAt(items func(func(db.Item) bool), n int, asleep, wake chan struct{}) func(func(db.Item) bool) {
	return func(yield func(db.Item) bool) {
		i := 0
		for item := range items {
			if i++; i == n {
				close(asleep)
				<-wake
			}
			if !yield(item) {
				return
			}
		}
	}
}

// waitFor waits until a condition of the database is true.
func waitFor(t *testing.T, s *db.Store, query string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		var yes bool
		if err := s.DB().GetContext(t.Context(), &yes, query); err != nil {
			t.Fatal(err)
		}
		if yes {
			return
		}
	}
	t.Fatalf("never true: %s", query)
}
