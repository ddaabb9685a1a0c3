package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Replica is a process that refreshes clusters on schedule, beside others on the same database.
type Replica struct {
	// ID tells it from every other process, also from one of the same name before it.
	ID   string
	Host string
	PID  int
	// TTL is how long its leases hold without being heard of.
	TTL time.Duration
	// ClockOffset is its clock less the database's, for people to read.
	ClockOffset time.Duration
}

// Shares is what a replica has to refresh.
type Shares struct {
	// Leases are its clusters, by id.
	Leases []Lease
	// Replicas counts the living ones, itself included.
	Replicas int
	// TakenOver counts the leases that came, with this call, from a replica that was not heard of any more.
	TakenOver int
	// Ended counts database sessions of such replicas that stood in the way of a take-over and were ended.
	Ended int64
}

// Share tells the database that a replica is alive, and evens out the clusters among the living ones: each has the same
// number, give or take one. The replica gets free clusters up to its share, and gives back what exceeds it or what it
// does not know; clusters lists the ids of those it can refresh. The database's clock counts. Call it several times
// within TTL; what it returns holds for TTL from the time of the call.
//
// ErrSchemaNewer when a newer program has migrated the database: from then on the Store only reads, until a Share, or
// CheckSchema, finds this program's schema again.
//
// A lease is not taken from a transaction that writes in its name: one call later it is over, or the session was ended.
func (s *Store) Share(ctx context.Context, r Replica, clusters []int64) (Shares, error) {
	var shares Shares
	err := s.inAnyTx(ctx, func(ctx context.Context, x *txn) error {
		if err := s.watchSchema(ctx, x); err != nil {
			return err
		}
		b := &balance{x: x, r: r, known: make(map[int64]bool, len(clusters))}
		for _, id := range clusters {
			b.known[id] = true
		}
		err := b.run(ctx)
		shares = b.shares
		return err
	})
	if err != nil {
		return Shares{}, fmt.Errorf("sharing the clusters as %s: %w", r.ID, err)
	}
	return shares, nil
}

// Leave gives all leases of a replica back and takes it off the list.
func (s *Store) Leave(ctx context.Context, replica string) error {
	err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
		release := "UPDATE leases SET holder = '', taken_at = " + x.d.clock + " WHERE holder = ?"
		if _, err := x.exec(ctx, release, replica); err != nil {
			return fmt.Errorf("giving back the leases: %w", err)
		}
		_, err := x.exec(ctx, "DELETE FROM replicas WHERE id = ?", replica)
		return err
	})
	if err != nil {
		return fmt.Errorf("leaving as %s: %w", replica, err)
	}
	return nil
}

// balance is one call of Share.
type balance struct {
	x     *txn
	r     Replica
	known map[int64]bool
	// late says that the replica was not heard of for too long itself, as all of them after a failure of the database: it
	// takes nothing from others before they had time to be heard of, too.
	late   bool
	leases []leaseState
	shares Shares
}

// leaseState is a lease of an enabled cluster, in the order in which it came to its holder.
type leaseState struct {
	ClusterID int64  `db:"cluster_id"`
	Holder    string `db:"holder"`
	Token     int64  `db:"token"`
	// Alive says that the holder is heard of. Orphan says that nobody cared for the cluster for two lease times.
	Alive  bool `db:"alive"`
	Orphan bool `db:"orphan"`
}

func (b *balance) run(ctx context.Context) error {
	if err := b.beat(ctx); err != nil {
		return err
	}
	place, err := b.place(ctx)
	if err != nil {
		return err
	}
	if err := b.read(ctx); err != nil {
		return err
	}
	share := len(b.leases) / b.shares.Replicas
	if place < len(b.leases)%b.shares.Replicas {
		share++
	}
	if err := b.giveBack(ctx, share); err != nil {
		return err
	}
	if err := b.take(ctx, share); err != nil {
		return err
	}
	slices.SortFunc(b.shares.Leases, func(p, q Lease) int { return int(p.ClusterID - q.ClusterID) })
	return nil
}

// beat stamps the replica's row.
func (b *balance) beat(ctx context.Context) error {
	d := b.x.d
	var alive []bool
	if err := b.x.all(ctx, &alive, "SELECT expires_at > "+d.clock+" FROM replicas WHERE id = ?", b.r.ID); err != nil {
		return fmt.Errorf("reading the replica: %w", err)
	}
	b.late = len(alive) > 0 && !alive[0]
	_, err := b.x.exec(ctx, `
INSERT INTO replicas (id, host, pid, joined_at, expires_at, ttl_ms, clock_offset_ms) VALUES (?, ?, ?, `+d.clock+`, `+d.clockPlus+`, ?, ?)
ON CONFLICT (id) DO UPDATE
SET expires_at = excluded.expires_at, ttl_ms = excluded.ttl_ms, clock_offset_ms = excluded.clock_offset_ms`,
		b.r.ID, b.r.Host, b.r.PID, b.r.TTL.Seconds(), b.r.TTL.Milliseconds(), b.r.ClockOffset.Milliseconds())
	if err != nil {
		return fmt.Errorf("writing the replica: %w", err)
	}
	// The dead are forgotten when they have nothing left.
	_, err = b.x.exec(ctx, `
DELETE FROM replicas WHERE id IN (
    SELECT r.id FROM replicas r
    WHERE NOT (`+d.heardOf+`) AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.holder = r.id)`+d.skipLocked+`)`)
	if err != nil {
		return fmt.Errorf("forgetting dead replicas: %w", err)
	}
	return nil
}

// place gives the replica's place among the living ones.
func (b *balance) place(ctx context.Context) (int, error) {
	var ids []string
	if err := b.x.all(ctx, &ids, "SELECT r.id FROM replicas r WHERE "+b.x.d.heardOf); err != nil {
		return 0, fmt.Errorf("reading the replicas: %w", err)
	}
	slices.Sort(ids) // by bytes, whatever the database's collation
	b.shares.Replicas = len(ids)
	place := slices.Index(ids, b.r.ID)
	if place < 0 {
		return 0, errors.New("the replica vanishes as it is added: its lease time is too short for this database")
	}
	return place, nil
}

// read gives every enabled cluster a lease and reads them all.
func (b *balance) read(ctx context.Context) error {
	d := b.x.d
	_, err := b.x.exec(ctx, `
INSERT INTO leases (cluster_id, taken_at)
SELECT c.id, `+d.clock+` FROM clusters c
WHERE c.enabled AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.cluster_id = c.id)
ON CONFLICT (cluster_id) DO NOTHING`)
	if err != nil {
		return fmt.Errorf("adding leases: %w", err)
	}
	err = b.x.all(ctx, &b.leases, `
SELECT l.cluster_id, l.holder, l.token, coalesce(`+d.heardOf+`, false) AS alive,
       coalesce(r.expires_at, l.taken_at) < `+d.clockPlus+` AS orphan
FROM leases l
JOIN clusters c ON c.id = l.cluster_id AND c.enabled
LEFT JOIN replicas r ON r.id = l.holder
ORDER BY l.taken_at, l.cluster_id`, -2*b.r.TTL.Seconds())
	if err != nil {
		return fmt.Errorf("reading the leases: %w", err)
	}
	return nil
}

// giveBack frees what exceeds the replica's share, and the clusters it does not know. What is being written stays until
// the next call. Those it has had longest go first: what it has just taken because nobody else did must not go again.
func (b *balance) giveBack(ctx context.Context, share int) error {
	var back []int64
	var kept []Lease
	for _, l := range b.leases {
		if l.Holder != b.r.ID {
			continue
		}
		if !b.known[l.ClusterID] {
			back = append(back, l.ClusterID)
			continue
		}
		kept = append(kept, Lease{ClusterID: l.ClusterID, Holder: b.r.ID, Token: l.Token})
	}
	for _, l := range kept[:max(0, len(kept)-share)] {
		back = append(back, l.ClusterID)
	}
	given, err := b.update(ctx, back, "holder = ?", []any{""}, "l.holder = ?", b.r.ID)
	if err != nil {
		return fmt.Errorf("giving back %d leases: %w", len(back), err)
	}
	for _, l := range kept {
		if _, gone := given[l.ClusterID]; !gone {
			b.shares.Leases = append(b.shares.Leases, l)
		}
	}
	return nil
}

// take gets free clusters up to the replica's share, and those for which nobody cares.
func (b *balance) take(ctx context.Context, share int) error {
	var want []int64
	from := map[int64]string{}
	for _, l := range b.leases {
		room := len(b.shares.Leases)+len(want) < share
		if b.free(l) && b.known[l.ClusterID] && (room || l.Orphan) {
			want = append(want, l.ClusterID)
			from[l.ClusterID] = l.Holder
		}
	}
	got, err := b.update(ctx, want, "holder = ?, token = token + 1", []any{b.r.ID}, `(l.holder = '' OR NOT EXISTS (
        SELECT 1 FROM replicas r WHERE r.id = l.holder AND `+b.x.d.heardOf+`))`)
	if err != nil {
		return fmt.Errorf("taking %d leases: %w", len(want), err)
	}
	var stuck []string
	for _, id := range want {
		token, ok := got[id]
		switch {
		case ok:
			b.shares.Leases = append(b.shares.Leases, Lease{ClusterID: id, Holder: b.r.ID, Token: token})
			if from[id] != "" {
				b.shares.TakenOver++
			}
		case from[id] != "":
			stuck = append(stuck, strconv.FormatInt(id, 10))
		}
	}
	if len(stuck) > 0 {
		if b.shares.Ended, err = b.x.d.endSessions(ctx, b.x, stuck); err != nil {
			return fmt.Errorf("ending the sessions that hold %d leases: %w", len(stuck), err)
		}
	}
	return nil
}

// update changes those of the leases that meet a condition and that no transaction has locked, and returns the tokens
// they have then, by cluster.
func (b *balance) update(ctx context.Context, ids []int64, set string, setArgs []any, cond string, condArgs ...any) (map[int64]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatInt(id, 10)
	}
	var rows []leaseState
	d := b.x.d
	err := b.x.all(ctx, &rows, "UPDATE leases SET "+set+", taken_at = "+d.clock+`
WHERE cluster_id IN (SELECT l.cluster_id FROM leases l WHERE `+d.in("l.cluster_id")+" AND "+cond+d.skipLocked+`)
RETURNING cluster_id, token`, slices.Concat(setArgs, []any{d.list(texts)}, condArgs)...)
	if err != nil {
		return nil, err
	}
	tokens := make(map[int64]int64, len(rows))
	for _, l := range rows {
		tokens[l.ClusterID] = l.Token
	}
	return tokens, nil
}

// free says whether a lease may be taken.
func (b *balance) free(l leaseState) bool {
	return l.Holder == "" || !l.Alive && !b.late && l.Holder != b.r.ID
}
