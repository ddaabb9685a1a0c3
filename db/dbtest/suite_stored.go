package dbtest

import (
	"errors"
	"fmt"
	"testing"

	"ganeticache/db"
)

func storedConformance(t *testing.T, open func(testing.TB, db.Options) *db.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*fixture)
	}{
		{"clusters are kept in the database", storedClusters},
		{"a cluster kept in the database stays as it is when the configuration is synced", storedBesideConfig},
		{"a name in the configuration and in the database is an error", storedTwice},
		{"a removed cluster is frozen, a purged one is gone", storedRemoved},
		{"passwords are sealed anew all or none", storedRekey},
		{"what is sealed knows its row", storedSeals},
		{"approved removals have a ceiling", approvals},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, open(t, db.Options{})))
		})
	}
}

func storedCluster(name string) db.StoredCluster {
	return db.StoredCluster{
		Name: name, RAPIURL: "https://" + name, Username: "gwm", PasswordSealed: "sealed-" + name, PinSHA256: "ab", ServerName: "s",
		Schedule: "@every 5m", Enabled: true,
	}
}

// stored gives the clusters kept in the database, and fails unless the revision has grown since the last call.
func (f *fixture) stored(before *int64) []db.StoredCluster {
	f.Helper()
	clusters, revision, err := f.s.StoredClusters(f.ctx())
	if err != nil {
		f.Fatal(err)
	}
	if revision <= *before {
		f.Errorf("revision %d after %d", revision, *before)
	}
	*before = revision
	for i := range clusters {
		if clusters[i].ID == 0 {
			f.Errorf("cluster %s has no id", clusters[i].Name)
		}
		clusters[i].ID = 0
	}
	return clusters
}

func storedClusters(f *fixture) {
	same(f, "revision", int64(0), must(f.s.ClustersRevision(f.ctx()))(f))
	var revision int64
	one, two := storedCluster("one"), storedCluster("two")
	two.PasswordSealed, two.PasswordFile, two.Enabled = "", "/pw", false
	wantError(f, nil, f.s.AddCluster(f.ctx(), two, nil))
	wantError(f, nil, f.s.AddCluster(f.ctx(), one, nil))
	same(f, "both", []db.StoredCluster{one, two}, f.stored(&revision))
	wantError(f, db.ErrClusterExists, f.s.AddCluster(f.ctx(), one, nil))
	wantError(f, db.ErrClusterConfigured, f.s.AddCluster(f.ctx(), storedCluster("alpha"), nil))
	if got := must(f.s.ClustersRevision(f.ctx()))(f); got != revision {
		f.Errorf("a refused edit moved the revision from %d to %d", revision, got)
	}
	wantError(f, nil, f.s.SetClusterEnabled(f.ctx(), "two", true))
	wantError(f, nil, f.s.SetClusterEnabled(f.ctx(), "one", false))
	one.Enabled, two.Enabled = false, true
	same(f, "changed", []db.StoredCluster{one, two}, f.stored(&revision))
	wantError(f, db.ErrNotFound, f.s.SetClusterEnabled(f.ctx(), "none", true))
	wantError(f, db.ErrClusterConfigured, f.s.SetClusterEnabled(f.ctx(), "alpha", false))
	wantError(f, db.ErrClusterConfigured, f.s.RemoveCluster(f.ctx(), "alpha", true))
	wantError(f, db.ErrNotFound, f.s.RemoveCluster(f.ctx(), "none", true))
	both := storedCluster("both")
	both.PasswordFile = "/pw"
	if f.s.AddCluster(f.ctx(), both, nil) == nil {
		f.Error("two passwords were accepted")
	}
}

// listedOne is how the engine lists the cluster "one", kept in the database.
func listedOne() db.ClusterSettings {
	s := settings("one")
	s.Stored = true
	return s
}

func storedBesideConfig(f *fixture) {
	wantError(f, nil, f.s.AddCluster(f.ctx(), storedCluster("one"), nil))
	rows := f.sync(settings("alpha"), listedOne())
	same(f, "names", []string{"alpha", "one"}, []string{rows[0].Name, rows[1].Name})
	same(f, "what follows from the settings", "one.example.org h-one gwm", rows[1].RAPIHost+" "+rows[1].CredentialsHash+" "+rows[1].RAPIUsername)
	same(f, "its owner", db.SourceDatabase, rows[1].Source)
	unreadable := listedOne()
	unreadable.RAPIHost, unreadable.RAPIPort, unreadable.RAPIUsername = "", 0, ""
	same(f, "an address that cannot be read", "one.example.org gwm", f.sync(unreadable)[0].RAPIHost+" "+f.sync(unreadable)[0].RAPIUsername)

	// An engine that does not know of the last edit must neither undo it nor bring a removed cluster back.
	f.sync(settings("alpha"))
	same(f, "not listed", true, f.enabled("one"))
	wantError(f, nil, f.s.SetClusterEnabled(f.ctx(), "one", false))
	f.sync(settings("alpha"), listedOne())
	same(f, "disabled meanwhile", false, f.enabled("one"))
	wantError(f, nil, f.s.RemoveCluster(f.ctx(), "one", false))
	f.sync(settings("alpha"), listedOne())
	same(f, "removed meanwhile", false, f.enabled("one"))
	wantError(f, nil, f.s.RemoveCluster(f.ctx(), "one", true))
	same(f, "purged meanwhile", 1, len(f.sync(settings("alpha"), listedOne())))
	same(f, "clusters", int64(1), f.number("SELECT count(*) FROM clusters"))
}

func (f *fixture) enabled(name string) bool {
	f.Helper()
	for _, c := range must(f.s.Clusters(f.ctx()))(f) {
		if c.Name == name {
			return c.Enabled
		}
	}
	f.Fatalf("no cluster %s", name)
	return false
}

func storedTwice(f *fixture) {
	wantError(f, nil, f.s.AddCluster(f.ctx(), storedCluster("one"), nil))
	_, err := f.s.SyncClusters(f.ctx(), []db.ClusterSettings{settings("new"), settings("one")})
	wantError(f, db.ErrTwoSources, err)
	_, err = f.s.UpsertClusters(f.ctx(), []db.ClusterSettings{settings("one")})
	wantError(f, db.ErrTwoSources, err)
	same(f, "nothing was written", int64(2), f.number("SELECT count(*) FROM clusters"))
	same(f, "nor disabled", true, f.enabled("alpha"))
	// Out of the database, the file may have it, with the rows; and the other way round.
	wantError(f, nil, f.s.RemoveCluster(f.ctx(), "one", false))
	row := f.sync(settings("one"))[0]
	same(f, "its owner", db.SourceConfig, row.Source)
	f.sync()
	wantError(f, nil, f.s.AddCluster(f.ctx(), storedCluster("one"), nil))
	same(f, "the same row", row.ID, f.sync(listedOne())[0].ID)
}

func storedRemoved(f *fixture) {
	wantError(f, nil, f.s.AddCluster(f.ctx(), storedCluster("one"), nil))
	id := f.sync(settings("alpha"), listedOne())[1].ID
	f.apply(db.KindVM, vm("u1", "web"))
	f.applySnapshot(f.answerOf(id, db.KindVM, vm("u1", "web"), vm("u2", "db")))
	f.give("alice", "admin", "one", "web")
	f.give("alice", "admin", "one", "")
	f.give("alice", "admin", "alpha", "web")

	wantError(f, nil, f.s.RemoveCluster(f.ctx(), "one", false))
	same(f, "no password is left", int64(0), f.number("SELECT count(*) FROM clusters WHERE password_sealed <> '' OR rapi_url <> ''"))
	same(f, "frozen", 2, len(f.vmsOf(id)))
	same(f, "grants", 3, len(f.granted(db.GrantFilter{})))
	_, err := f.s.Apply(f.ctx(), f.answerOf(id, db.KindVM))
	wantError(f, db.ErrDisabled, err)

	wantError(f, nil, f.s.RemoveCluster(f.ctx(), "one", true))
	same(f, "purged", 0, len(f.vmsOf(id)))
	for _, c := range must(f.s.Changes(f.ctx(), 0, 1000))(f) {
		if c.ClusterID == id {
			f.Errorf("the log still has an entry of the purged cluster: %s %s %s", c.Op, c.Kind, c.Name)
		}
	}
	same(f, "grants", []string{"alice admin alpha/web grant"}, f.granted(db.GrantFilter{}))
	same(f, "the other cluster", map[string]string{"u1": "web"}, f.live())
	_, err = f.s.Apply(f.ctx(), db.Snapshot{ClusterID: id, Kind: db.KindVM, StartedAt: f.tick()})
	wantError(f, db.ErrNotFound, err)
}

func storedRekey(f *fixture) {
	for _, name := range []string{"one", "two", "three"} {
		wantError(f, nil, f.s.AddCluster(f.ctx(), storedCluster(name), nil))
	}
	file := storedCluster("file")
	file.PasswordSealed, file.PasswordFile = "", "/pw"
	wantError(f, nil, f.s.AddCluster(f.ctx(), file, nil))
	sealed := func() map[string]string {
		m := make(map[string]string)
		clusters, _, err := f.s.StoredClusters(f.ctx())
		wantError(f, nil, err)
		for _, c := range clusters {
			m[c.Name] = c.PasswordSealed
		}
		return m
	}
	before, done := sealed(), 0
	interrupted := errors.New("interrupted")
	_, err := f.s.RekeyClusters(f.ctx(), func(c db.StoredCluster) (db.StoredCluster, error) {
		if done++; done == 3 {
			return c, interrupted
		}
		c.PasswordSealed = "new"
		return c, nil
	})
	wantError(f, interrupted, err)
	same(f, "after an interruption", before, sealed())
	n := must(f.s.RekeyClusters(f.ctx(), func(c db.StoredCluster) (db.StoredCluster, error) {
		same(f, "the old one", "sealed-"+c.Name, c.PasswordSealed)
		c.PasswordSealed = "new-" + c.Name
		return c, nil
	}))(f)
	same(f, "number", 3, n)
	same(f, "sealed anew", map[string]string{"one": "new-one", "two": "new-two", "three": "new-three", "file": ""}, sealed())
}

func storedSeals(f *fixture) {
	byID := func(c db.StoredCluster) (db.StoredCluster, error) {
		c.SettingsSealed = fmt.Sprintf("%s %d", c.RAPIURL, c.ID)
		return c, nil
	}
	one := storedCluster("one")
	one.PasswordSealed, one.PasswordFile, one.MinVersion = "", "/pw", "1.3"
	wantError(f, nil, f.s.AddCluster(f.ctx(), one, byID))
	read := func() db.StoredCluster {
		clusters, _, err := f.s.StoredClusters(f.ctx())
		wantError(f, nil, err)
		return clusters[0]
	}
	id := read().ID
	same(f, "sealed for its id", fmt.Sprintf("https://one %d", id), read().SettingsSealed)
	wantError(f, nil, f.s.EditCluster(f.ctx(), "one", func(c db.StoredCluster) (db.StoredCluster, error) {
		c.RAPIURL = "https://other"
		return byID(c)
	}))
	one.ID, one.RAPIURL, one.SettingsSealed = id, "https://other", fmt.Sprintf("https://other %d", id)
	same(f, "edited", one, read())
	refused := errors.New("refused")
	wantError(f, refused, f.s.EditCluster(f.ctx(), "one", func(c db.StoredCluster) (db.StoredCluster, error) { return c, refused }))
	wantError(f, db.ErrNotFound, f.s.EditCluster(f.ctx(), "none", byID))
	wantError(f, db.ErrClusterConfigured, f.s.EditCluster(f.ctx(), "alpha", byID))
	same(f, "left alone", one, read())

	same(f, "old seals", false, must(f.s.OldSealsEnded(f.ctx()))(f))
	before := must(f.s.ClustersRevision(f.ctx()))(f)
	wantError(f, nil, f.s.EndOldSeals(f.ctx()))
	same(f, "old seals", true, must(f.s.OldSealsEnded(f.ctx()))(f))
	if must(f.s.ClustersRevision(f.ctx()))(f) <= before {
		f.Error("running updaters do not learn that old seals have ended")
	}
	wantError(f, nil, f.s.RemoveCluster(f.ctx(), "one", false))
	same(f, "no seal is left", int64(0), f.number("SELECT count(*) FROM clusters WHERE settings_sealed <> '' OR tls_min_version <> ''"))
}

// refuse is a guard that withholds everything.
func refuse(r db.Removals) db.Decision {
	return db.Decision{Pending: db.Pending{Count: len(r.Absent), Digest: "d", Seen: 1}, Error: "withheld", Reason: "guard"}
}

func approvals(f *fixture) {
	items := many(20)
	guarded := func(items ...db.Item) db.Outcome {
		snap := f.answer(db.KindVM, items...)
		snap.Guard = refuse
		return f.applySnapshot(snap)
	}
	approve := func() map[db.Kind]int {
		m := make(map[db.Kind]int)
		for _, a := range must(f.s.ApproveRemovals(f.ctx(), "alpha"))(f) {
			m[a.Kind] = a.Count
		}
		return m
	}
	guarded(items...)
	same(f, "nothing is withheld", map[db.Kind]int{}, approve())
	guarded(items[:8]...)
	same(f, "approved", map[db.Kind]int{db.KindVM: 12}, approve())
	// A failure in between changes nothing; what was not shown is withheld, and the approval is used up.
	must(f.s.RecordFailure(f.ctx(), f.cluster.ID, db.Failure{Kinds: []db.Kind{db.KindVM}, AttemptedAt: f.tick(), Error: "x"}))(f)
	out := guarded(items[:7]...)
	same(f, "one was not shown", []int{12, 1}, []int{out.Removed, len(out.Withheld)})
	guarded(items...) // all are there again
	out = guarded(items[:8]...)
	same(f, "used up", []int{0, 12}, []int{out.Removed, len(out.Withheld)})

	// As many, but others: none of them was shown.
	same(f, "approved", map[db.Kind]int{db.KindVM: 12}, approve())
	out = guarded(items[12:]...)
	same(f, "others", []int{4, 8}, []int{out.Removed, len(out.Withheld)})
	guarded(items...)
	out = guarded(items[:8]...)
	same(f, "withheld again", []int{0, 12}, []int{out.Removed, len(out.Withheld)})

	// What was shown is approved, and nothing else.
	shown := must(f.s.Withheld(f.ctx(), "alpha"))(f)
	same(f, "shown", db.WithheldObject{UUID: "u0008", Name: "vm0008"}, shown[0].Objects[0])
	same(f, "all are shown", 12, len(shown[0].Objects))
	guarded(items[:7]...)
	_, changed := f.s.ApproveShown(f.ctx(), "alpha", shown)
	wantError(f, db.ErrWithheldChanged, changed)
	same(f, "nothing is approved", 0, guarded(items[:7]...).Removed)
	guarded(items[:8]...)
	same(f, "shown again", 12, len(must(f.s.ApproveShown(f.ctx(), "alpha", must(f.s.Withheld(f.ctx(), "alpha"))(f)))(f)[0].Objects))

	same(f, "approved", map[db.Kind]int{db.KindVM: 12}, approve())
	dry := f.answer(db.KindVM, items[:8]...)
	dry.Guard, dry.DryRun = refuse, true
	same(f, "a dry run", 12, f.applySnapshot(dry).Removed)
	out = guarded(items[:9]...)
	same(f, "up to the ceiling", []int{11, 0}, []int{out.Removed, len(out.Withheld)})
	same(f, "pending", db.Pending{}, f.freshness(db.KindVM).Pending)
	same(f, "approved", 0, f.freshness(db.KindVM).Approved)
	same(f, "no second time", 0, guarded(items[0]).Removed)

	// An answer that lists everything again needs no approval, and takes it back.
	approve()
	live := f.answer(db.KindVM, items[:9]...)
	wantError(f, nil, f.s.TouchFresh(f.ctx(), f.cluster.ID, nil, f.touches(live.Generation, db.KindVM)))
	same(f, "approved after a complete answer", 0, f.freshness(db.KindVM).Approved)
	_, err := f.s.ApproveRemovals(f.ctx(), "none")
	wantError(f, db.ErrNotFound, err)
	f.sync(settings("beta"))
	_, err = f.s.ApproveRemovals(f.ctx(), "alpha")
	wantError(f, db.ErrDisabled, err)
}
