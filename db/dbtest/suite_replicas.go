package dbtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"ganeticache/db"
)

// replicaConformance holds what both databases show of replicas that share clusters.
func replicaConformance(t *testing.T, open func(testing.TB, db.Options) *db.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*fixture)
	}{
		{"clusters are shared evenly", sharedEvenly},
		{"a replica that leaves is replaced at once, one that dies after its lease time", leavesAndDies},
		{"a lease that ends later than it can is over", impossibleLeases},
		{"a replica refreshes only clusters that it knows", sharedKnown},
		{"all replicas are late after a failure of the database", allLate},
		{"a lease that was lost writes nothing", fenced},
		{"status names the holders", statusHolders},
		{"an updater that is older than the schema only reads", outdated},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, open(t, db.Options{})))
		})
	}
}

const leaseTime = time.Hour

func replica(id string) db.Replica {
	return db.Replica{ID: id, Host: "host-" + id, PID: 4711, TTL: leaseTime}
}

// share makes a replica heard of; it knows every enabled cluster.
func (f *fixture) share(r db.Replica) db.Shares {
	f.Helper()
	var ids []int64
	for _, c := range must(f.s.Clusters(f.ctx()))(f) {
		if c.Enabled {
			ids = append(ids, c.ID)
		}
	}
	return must(f.s.Share(f.ctx(), r, ids))(f)
}

// manyClusters adds clusters up to n.
func (f *fixture) manyClusters(n int) {
	f.Helper()
	var all []db.ClusterSettings
	for i := range n {
		all = append(all, settings(fmt.Sprintf("cluster-%03d", i)))
	}
	f.sync(all...)
}

// settle lets the replicas share until nothing moves any more, and returns how many clusters each has.
func (f *fixture) settle(rs ...db.Replica) map[string]int {
	f.Helper()
	counts := map[string]int{}
	for range 3 { // one to give back, one to take; the last shows that nothing moves
		for _, r := range rs {
			counts[r.ID] = len(f.share(r).Leases)
		}
	}
	return counts
}

// kill makes a replica one that was not heard of for its lease time.
func (f *fixture) kill(r db.Replica) {
	f.Helper()
	f.mustWrite("UPDATE replicas SET expires_at = '2020-01-01 00:00:00.000' WHERE id = '" + r.ID + "'")
}

func sharedEvenly(f *fixture) {
	f.manyClusters(100)
	a, b, c := replica("a"), replica("b"), replica("c")
	same(f, "one replica", map[string]int{"a": 100}, f.settle(a))
	same(f, "two", map[string]int{"a": 50, "b": 50}, f.settle(a, b))
	same(f, "three", map[string]int{"a": 34, "b": 33, "c": 33}, f.settle(a, b, c))
	first := f.share(b)
	same(f, "nothing moves while nobody comes or goes", first, f.share(b))
	same(f, "replicas", 3, first.Replicas)
}

// impossibleLeases has replicas, and readers, that a clock of the future has written and that are not heard of any more.
func impossibleLeases(f *fixture) {
	f.manyClusters(4)
	a, b := replica("a"), replica("b")
	f.settle(a)
	f.mustWrite("UPDATE replicas SET expires_at = '2090-01-01 00:00:00.000'")
	same(f, "b takes all over", map[string]int{"b": 4}, f.settle(b))
	same(f, "a is alive when it is heard of again", map[string]int{"a": 2, "b": 2}, f.settle(a, b))
	f.mustWrite("UPDATE replicas SET expires_at = '2090-01-01 00:00:00.000', ttl_ms = 0 WHERE id = 'a'")
	same(f, "of a version that names no time", map[string]int{"b": 4}, f.settle(b))

	if _, got, err := f.s.BeginReading(f.ctx(), f.cluster.ID, "a", time.Minute); err != nil || !got {
		f.Fatalf("a reads: %t, %v", got, err)
	}
	f.mustWrite("UPDATE reader_leases SET expires_at = '2090-01-01 00:00:00.000'")
	if _, got, err := f.s.BeginReading(f.ctx(), f.cluster.ID, "b", time.Minute); err != nil || !got {
		f.Errorf("b reads: %t, %v; the right ends later than anybody takes it for", got, err)
	}
}

func leavesAndDies(f *fixture) {
	f.manyClusters(10)
	a, b := replica("a"), replica("b")
	f.settle(a, b)
	tokens := func(ls []db.Lease) map[int64]int64 {
		m := map[int64]int64{}
		for _, l := range ls {
			m[l.ClusterID] = l.Token
		}
		return m
	}
	before := tokens(f.share(b).Leases)
	if err := f.s.Leave(f.ctx(), b.ID); err != nil {
		f.Fatal(err)
	}
	alone := f.share(a)
	same(f, "what was given back is no take-over", db.Shares{Leases: alone.Leases, Replicas: 1}, alone)
	same(f, "all clusters", 10, len(alone.Leases))
	for id, token := range tokens(alone.Leases) {
		if old, ok := before[id]; ok && token <= old {
			f.Errorf("cluster %d: token %d after %d, want it to grow", id, token, old)
		}
	}
	f.settle(a, b)
	f.kill(a)
	heir := f.share(b)
	same(f, "all clusters", 10, len(heir.Leases))
	same(f, "taken over", 5, heir.TakenOver)
}

func sharedKnown(f *fixture) {
	f.manyClusters(4)
	clusters := must(f.s.Clusters(f.ctx()))(f)
	var known []int64
	for _, c := range clusters {
		if c.Name == "cluster-001" || c.Name == "cluster-002" {
			known = append(known, c.ID)
		}
	}
	held := func(s db.Shares) []int64 {
		var ids []int64
		for _, l := range s.Leases {
			ids = append(ids, l.ClusterID)
		}
		return ids
	}
	same(f, "what it knows", known, held(must(f.s.Share(f.ctx(), replica("a"), known))(f)))
	same(f, "one of them is taken out of its configuration", known[:1], held(must(f.s.Share(f.ctx(), replica("a"), known[:1]))(f)))
	f.sync(settings("cluster-002"))
	same(f, "a disabled one needs nobody", known[1:], held(must(f.s.Share(f.ctx(), replica("a"), known))(f)))
}

func allLate(f *fixture) {
	f.manyClusters(10)
	a, b := replica("a"), replica("b")
	f.settle(a, b)
	before := f.share(b)
	f.kill(a)
	f.kill(b)
	same(f, "a comes back first, and takes nothing", 5, len(f.share(a).Leases))
	same(f, "b has what it had", before.Leases, f.share(b).Leases)
}

func fenced(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	a, b := replica("a"), replica("b")
	lost := f.share(a).Leases[0]
	record := must(f.s.Fingerprints(f.ctx(), f.cluster.ID, db.KindVM))(f)
	touch := f.touches(record.Generation, db.KindVM)
	if err := f.s.TouchFresh(f.ctx(), f.cluster.ID, &lost, touch); err != nil {
		f.Fatalf("stamping with the lease: %v", err)
	}
	same(f, "the token that the stamp leaves behind", lost.Token, f.freshness(db.KindVM).LeaseToken)

	f.kill(a)
	heir := f.share(b).Leases[0]
	rows, fresh := f.vms(), f.freshness(db.KindVM)
	snap := f.answer(db.KindVM, vm("u1", "other"), vm("u2", "new"))
	snap.Lease = &lost
	_, err := f.s.Apply(f.ctx(), snap)
	wantError(f, db.ErrLeaseLost, err)
	_, err = f.s.ApplyInfo(f.ctx(), db.ClusterInfo{ClusterID: f.cluster.ID, StartedAt: f.tick(), UUID: "c", Info: db.JSON(`{}`), Lease: &lost})
	wantError(f, db.ErrLeaseLost, err)
	touch[0].StartedAt = f.tick()
	wantError(f, db.ErrLeaseLost, f.s.TouchFresh(f.ctx(), f.cluster.ID, &lost, touch))
	_, err = f.s.RecordFailure(f.ctx(), f.cluster.ID, db.Failure{Kinds: []db.Kind{db.KindVM}, AttemptedAt: f.tick(), Error: "late", Lease: &lost})
	wantError(f, db.ErrLeaseLost, err)
	same(f, "rows", rows, f.vms())
	same(f, "freshness", fresh, f.freshness(db.KindVM))

	snap.Lease = &heir
	out := must(f.s.Apply(f.ctx(), snap))(f)
	same(f, "the heir writes", 1, out.Created)
	same(f, "the token that it leaves behind", heir.Token, f.freshness(db.KindVM).LeaseToken)
}

func statusHolders(f *fixture) {
	f.manyClusters(2)
	f.share(replica("a"))
	status := must(f.s.Status(f.ctx()))(f)
	var holders []string
	for _, c := range status {
		if c.Holder != nil {
			holders = append(holders, c.Holder.ID+" on "+c.Holder.Host)
		}
	}
	slices.Sort(holders)
	// The fixture's own cluster is disabled: nobody refreshes it.
	same(f, "holders", []string{"a on host-a", "a on host-a"}, holders)
	f.kill(replica("a"))
	for _, c := range must(f.s.Status(f.ctx()))(f) {
		if c.Holder != nil && c.Holder.Alive {
			f.Errorf("%s is held by %s, which is dead", c.Name, c.Holder.ID)
		}
	}
}

// outdated is what an updater does whose database a newer one migrated: it reads, and writes nothing more.
func outdated(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"))
	a := replica("a")
	f.share(a)
	generation := func() []int64 {
		return []int64{f.number("SELECT sum(generation) FROM freshness"), f.number("SELECT count(*) FROM changes"), f.number("SELECT count(*) FROM permissions")}
	}
	before := generation()
	f.mustWrite("INSERT INTO ganeti_cache_schema (version_id, is_applied) VALUES (99999, true)")
	_, err := f.s.Share(f.ctx(), a, []int64{f.cluster.ID})
	wantError(f, db.ErrSchemaNewer, err)
	writes := map[string]func() error{
		"applying": func() error {
			_, err := f.s.Apply(f.ctx(), f.answer(db.KindVM, vm("u1", "www"), vm("u2", "db")))
			return err
		},
		"stamping": func() error {
			return f.s.TouchFresh(f.ctx(), f.cluster.ID, nil, []db.Touch{{Kind: db.KindVM, StartedAt: time.Now()}})
		},
		"granting": func() error {
			_, err := f.s.Grant(f.ctx(), db.Grant{Subject: "s", Permission: "p", Cluster: "alpha"})
			return err
		},
		"syncing":   func() error { _, err := f.s.SyncClusters(f.ctx(), []db.ClusterSettings{settings("beta")}); return err },
		"asking":    func() error { _, _, err := f.s.BeginReading(f.ctx(), f.cluster.ID, "me", time.Minute); return err },
		"migrating": func() error { return f.s.Migrate(f.ctx()) },
	}
	for what, write := range writes {
		if err := write(); !errors.Is(err, db.ErrSchemaNewer) {
			f.Errorf("%s: %v, want ErrSchemaNewer", what, err)
		}
	}
	same(f, "what is there", before, generation())
	same(f, "readers go on", 1, len(must(f.s.SearchVMs(f.ctx(), db.VMFilter{Name: "web"}))(f).Items))
	f.mustWrite("DELETE FROM ganeti_cache_schema WHERE version_id = 99999") // restored from the back-up
	same(f, "leases after the way back", 1, len(f.share(a).Leases))
	f.apply(db.KindVM, vm("u1", "www"))
}
