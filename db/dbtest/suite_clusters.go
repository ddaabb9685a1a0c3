package dbtest

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"ganeticache/db"
)

func migrateAgain(f *fixture) {
	if err := f.s.CheckSchema(f.ctx()); err != nil {
		f.Fatal(err)
	}
	if err := f.s.Migrate(f.ctx()); err != nil {
		f.Fatal(err)
	}
	same(f, "clusters", int64(1), f.number("SELECT count(*) FROM clusters"))
	if err := f.s.Ping(f.ctx()); err != nil {
		f.Error(err)
	}
	f.mustWrite("INSERT INTO ganeti_cache_schema (version_id, is_applied) VALUES (99999, true)")
	wantError(f, db.ErrSchemaNewer, f.s.CheckSchema(f.ctx()))
	wantError(f, db.ErrSchemaNewer, f.s.Migrate(f.ctx()))
}

func wantError(tb testing.TB, want, got error) {
	tb.Helper()
	if !errors.Is(got, want) {
		tb.Errorf("got error %v, want %v", got, want)
	}
}

func clustersFollow(f *fixture) {
	beta := settings("beta")
	both := f.sync(beta, settings("alpha"))
	same(f, "order", []string{"beta", "alpha"}, []string{both[0].Name, both[1].Name})
	same(f, "id", f.cluster.ID, both[1].ID)
	beta.RAPIHost, beta.CredentialsHash = "other.example.org", "new"
	changed := f.sync(beta)[0]
	same(f, "cluster", db.Cluster{
		ID: both[0].ID, Name: "beta", RAPIHost: "other.example.org", RAPIPort: 5080, RAPIUsername: "gwm", CredentialsHash: "new",
		Enabled: true, Source: db.SourceConfig, Tags: db.List{}, DigestSeed: both[0].DigestSeed,
	}, changed)
	if both[0].DigestSeed == 0 || both[0].DigestSeed == both[1].DigestSeed {
		f.Errorf("the seeds of two clusters' digests are %d and %d", both[0].DigestSeed, both[1].DigestSeed)
	}
	enabled := func() map[string]bool {
		m := make(map[string]bool)
		for _, c := range must(f.s.Clusters(f.ctx()))(f) {
			m[c.Name] = c.Enabled
		}
		return m
	}
	same(f, "enabled", map[string]bool{"alpha": false, "beta": true}, enabled())
	back := f.sync(beta, settings("alpha"))
	same(f, "the same row again", f.cluster.ID, back[1].ID)
	same(f, "the same seed again", both[1].DigestSeed, back[1].DigestSeed)
	same(f, "enabled", map[string]bool{"alpha": true, "beta": true}, enabled())
	if _, err := f.s.SyncClusters(f.ctx(), []db.ClusterSettings{beta, beta}); err == nil {
		f.Error("a cluster may be listed twice")
	}
}

// addressThatServes holds that the address on record is the one that served last, as long as it is among the configured.
func addressThatServes(f *fixture) {
	alpha := settings("alpha")
	alpha.RAPIOthers = []db.RAPIAddress{{Host: "second.example.org", Port: 5081}, {Host: "third.example.org", Port: 5080}}
	on := func(rows []db.Cluster) db.RAPIAddress {
		return db.RAPIAddress{Host: rows[0].RAPIHost, Port: rows[0].RAPIPort}
	}
	serve := func(a db.RAPIAddress) {
		if err := f.s.SetServing(f.ctx(), f.cluster.ID, nil, a); err != nil {
			f.Error(err)
		}
	}
	first, second := db.RAPIAddress{Host: alpha.RAPIHost, Port: alpha.RAPIPort}, alpha.RAPIOthers[0]
	beta := f.sync(settings("alpha"), settings("beta"))[1]
	same(f, "before anybody served", first, on(f.sync(alpha)))
	serve(second)
	same(f, "recorded", second, on(must(f.s.Clusters(f.ctx()))(f)))
	same(f, "another start", second, on(f.sync(alpha)))
	alpha.CredentialsHash = "new"
	row := f.sync(alpha)
	same(f, "another password", []any{second, "new"}, []any{on(row), row[0].CredentialsHash})
	same(f, "no other cluster's", beta.RAPIHost, must(f.s.Clusters(f.ctx()))(f)[1].RAPIHost)

	alpha.RAPIOthers = alpha.RAPIOthers[1:]
	same(f, "no longer listed", first, on(f.sync(alpha)))
	serve(second)
	f.sync(settings("beta"))
	serve(alpha.RAPIOthers[0])
	same(f, "a frozen cluster", second, on(must(f.s.Clusters(f.ctx()))(f)))
}

func disabledFrozen(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "gone"))
	f.apply(db.KindVM, vm("u1", "web"))
	removal := f.answer(db.KindVM)
	before, fresh := f.vms(), f.freshness(db.KindVM)
	f.sync(settings("beta"))
	_, err := f.s.Apply(f.ctx(), removal)
	wantError(f, db.ErrDisabled, err)
	wantError(f, db.ErrDisabled, f.s.TouchFresh(f.ctx(), f.cluster.ID, nil, []db.Touch{{Kind: db.KindVM, StartedAt: f.tick(), Generation: 2}}))
	_, err = f.s.ApplyInfo(f.ctx(), db.ClusterInfo{ClusterID: f.cluster.ID, StartedAt: f.tick(), UUID: "c", Info: db.JSON(`{}`)})
	wantError(f, db.ErrDisabled, err)
	if n, err := f.s.RecordFailure(f.ctx(), f.cluster.ID, db.Failure{Kinds: []db.Kind{db.KindVM}, AttemptedAt: f.tick(), Error: "x"}); n != 0 || err != nil {
		f.Errorf("a failure was recorded: %d, %v", n, err)
	}
	same(f, "purged", int64(0), must(f.s.Purge(f.ctx(), f.now.Add(time.Hour)))(f))
	same(f, "rows", before, f.vms())
	same(f, "freshness", fresh, f.freshness(db.KindVM))
	_, err = f.s.Apply(f.ctx(), db.Snapshot{ClusterID: 4711, Kind: db.KindVM, StartedAt: f.now})
	wantError(f, db.ErrNotFound, err)
}

// info is what the cluster says of itself.
func (f *fixture) infoAnswer(raw string, edit ...func(*db.ClusterInfo)) db.ClusterInfo {
	asked := f.ask()
	in := db.ClusterInfo{
		ClusterID: f.cluster.ID, StartedAt: asked.At, Ticket: asked.Number, Duration: time.Second, Bytes: 99, NextDue: f.now.Add(time.Minute),
		UUID: "c1", GanetiName: "gnt.example.org", SoftwareVersion: "3.0.2", MasterNode: "node1", Tags: db.List{"t"},
		Info: db.JSON(raw), Digest: digest(raw), Explain: true,
	}
	for _, e := range edit {
		e(&in)
	}
	return in
}

func clusterInfo(f *fixture) {
	apply := func(in db.ClusterInfo) db.Outcome { return must(f.s.ApplyInfo(f.ctx(), in))(f) }
	out := apply(f.infoAnswer(`{"a": 1}`))
	same(f, "first", counts{Created: 1}, countsOf(out))
	seen := f.now
	same(f, "same", db.Outcome{Generation: 1}, apply(f.infoAnswer(`{"a": 1}`)))
	got := must(f.s.Clusters(f.ctx()))(f)[0]
	got.Info, got.Digest, got.Ticket = nil, nil, 0
	want := f.cluster
	want.UUID, want.GanetiName, want.SoftwareVersion, want.MasterNode = "c1", "gnt.example.org", "3.0.2", "node1"
	want.Tags, want.ObservedAt = db.List{"t"}, &seen
	same(f, "cluster", want, got)
	same(f, "refreshed", f.now, *f.freshness(db.KindCluster).RefreshedAt)

	out = apply(f.infoAnswer(`{"a": 2}`, func(in *db.ClusterInfo) { in.MasterNode = "node2" }))
	same(f, "master failover", map[string]db.FieldChange{
		"master_node": {Old: "node1", New: "node2"}, "/a": {Old: json.Number("1"), New: json.Number("2")},
	}, out.Changes[0].Fields)
	same(f, "other bytes", counts{}, countsOf(apply(f.infoAnswer(`{"a":2}`, func(in *db.ClusterInfo) { in.MasterNode = "node2" }))))
	dry := f.infoAnswer(`{"a":3}`, func(in *db.ClusterInfo) { in.DryRun, in.GanetiName = true, "new" })
	same(f, "dry run", counts{Renamed: 1}, countsOf(apply(dry)))
	dry.DryRun = false
	same(f, "renamed", counts{Renamed: 1}, countsOf(apply(dry)))
	record := must(f.s.Fingerprints(f.ctx(), f.cluster.ID, db.KindCluster))(f)
	same(f, "fingerprint", db.Fingerprints{Generation: 4, Items: []db.Fingerprint{{Key: "c1", Digest: digest(`{"a":3}`)}}}, record)

	old := f.infoAnswer(`{"a":4}`)
	apply(f.infoAnswer(`{"a":3}`))
	old.StartedAt = f.now.Add(time.Hour)
	_, err := f.s.ApplyInfo(f.ctx(), old)
	wantError(f, db.ErrConflict, err)
}

func otherCluster(f *fixture) {
	must(f.s.ApplyInfo(f.ctx(), f.infoAnswer(`{"a": 1}`)))(f)
	before := must(f.s.Status(f.ctx()))(f)
	_, err := f.s.ApplyInfo(f.ctx(), f.infoAnswer(`{"a": 2}`, func(in *db.ClusterInfo) { in.UUID = "c2" }))
	wantError(f, db.ErrOtherCluster, err)
	_, err = f.s.ApplyInfo(f.ctx(), f.infoAnswer(`{"a": 2}`, func(in *db.ClusterInfo) { in.UUID = "" }))
	wantError(f, db.ErrOtherCluster, err)
	same(f, "status", before, must(f.s.Status(f.ctx()))(f))
}
