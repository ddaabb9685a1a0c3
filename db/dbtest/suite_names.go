package dbtest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"ganeticache/db"
)

func namesConformance(t *testing.T, open func(testing.TB, db.Options) *db.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*fixture)
	}{
		{"the second name of a Ganeti cluster is refused", secondName},
		{"of two names at the same moment one gets the cluster", secondNameAtOnce},
		{"a frozen cluster keeps its rows from being there twice", secondNameFrozen},
		{"a first load that has not ended keeps its cluster", secondNameDuring},
		{"names that both had the cluster before", secondNameBefore},
		{"a second name may be allowed", secondNameAllowed},
		{"a renamed cluster keeps what it has", renamedCluster},
		{"a name in use is no new name", renamedToTaken},
		{"a new name that came first makes way", renamedToEmpty},
		{"a configuration with the name of before brings nothing back", renamedBehindConfig},
		{"two clusters change their names", renamedSwap},
		{"a cluster kept in the database is renamed", renamedStored},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, open(t, db.Options{})))
		})
	}
}

// claim has a cluster say that its uuid is this.
func (f *fixture) claim(c db.Cluster, uuid string) error {
	f.Helper()
	_, err := f.s.ApplyInfo(f.ctx(), f.infoAnswer(`{"a": 1}`, func(in *db.ClusterInfo) { in.ClusterID, in.UUID = c.ID, uuid }))
	return err
}

// wantTwin checks that an error names the other name.
func (f *fixture) wantTwin(err error, name, other string, frozen bool) {
	f.Helper()
	wantError(f, db.ErrDuplicateCluster, err)
	if twin, ok := errors.AsType[*db.DuplicateError](err); ok {
		twin = &db.DuplicateError{Name: twin.Name, Twin: twin.Twin, UUID: twin.UUID, Frozen: twin.Frozen}
		same(f, "the error", &db.DuplicateError{Name: name, Twin: other, UUID: "c1", Frozen: frozen}, twin)
	}
}

// byName gives a cluster's row.
func (f *fixture) byName(name string) db.Cluster {
	f.Helper()
	return must(f.s.ClusterByName(f.ctx(), name))(f)
}

func (f *fixture) shownVMs() int64 { return f.number("SELECT count(*) FROM vms") }

func secondName(f *fixture) {
	rows := f.sync(settings("alpha"), settings("beta"), settings("gamma"))
	alpha, beta, gamma := rows[0], rows[1], rows[2]
	// Who came second is refused, whichever has the smaller id.
	wantError(f, nil, f.claim(beta, "c1"))
	f.wantTwin(f.claim(alpha, "c1"), "alpha", "beta", false)
	wantError(f, nil, f.claim(beta, "c1"))
	wantError(f, nil, f.claim(gamma, "c2"))
	same(f, "nothing is stored of it", "", f.byName("alpha").UUID)
	same(f, "changes", int64(2), f.number("SELECT count(*) FROM changes"))
	// What is asked first is told the same.
	f.wantTwin(f.s.Twin(f.ctx(), alpha, "c1"), "alpha", "beta", false)
	f.wantTwin(f.s.Twin(f.ctx(), db.Cluster{Name: "new"}, "c1"), "new", "beta", false)
	wantError(f, nil, f.s.Twin(f.ctx(), f.byName("beta"), "c1"))
	wantError(f, nil, f.s.Twin(f.ctx(), alpha, "c3"))
	// The failure is recorded like any other.
	n := must(f.s.RecordFailure(f.ctx(), alpha.ID, db.Failure{Kinds: []db.Kind{db.KindCluster}, AttemptedAt: f.tick(), Error: "x", Reason: "y"}))(f)
	same(f, "failures", 1, n)
}

func secondNameAtOnce(f *fixture) {
	for _, uuid := range []string{"u0", "u1", "u2", "u3"} {
		var all []db.ClusterSettings
		for _, n := range []string{"a", "b", "c", "d"} {
			all = append(all, settings(n+uuid))
		}
		rows := must(f.s.UpsertClusters(f.ctx(), all))(f)
		answers := make([]db.ClusterInfo, len(rows))
		for i, c := range rows {
			answers[i] = f.infoAnswer(`{"a": 1}`, func(in *db.ClusterInfo) { in.ClusterID, in.UUID = c.ID, uuid })
		}
		errs := make([]error, len(rows))
		var all4 sync.WaitGroup
		for i := range rows {
			all4.Go(func() { _, errs[i] = f.s.ApplyInfo(f.ctx(), answers[i]) })
		}
		all4.Wait()
		refused := 0
		for _, err := range errs {
			if err != nil {
				wantError(f, db.ErrDuplicateCluster, err)
				refused++
			}
		}
		same(f, "refused", 3, refused)
		same(f, "rows with the uuid", int64(1), f.number("SELECT count(*) FROM clusters WHERE uuid = '"+uuid+"'"))
	}
}

func secondNameFrozen(f *fixture) {
	wantError(f, nil, f.claim(f.cluster, "c1"))
	f.apply(db.KindVM, vm("u1", "web"))
	// As after a change of the name in the configuration, or a one-shot with another one.
	beta := f.sync(settings("beta"))[0]
	f.wantTwin(f.claim(beta, "c1"), "beta", "alpha", true)
	same(f, "VMs", int64(1), f.shownVMs())
	wantError(f, nil, f.s.RemoveCluster(f.ctx(), "alpha", true))
	wantError(f, nil, f.claim(beta, "c1"))
	// Without rows there is nothing that would be there twice.
	gamma := f.sync(settings("gamma"))[0]
	wantError(f, nil, f.claim(gamma, "c1"))
	must(f.s.Apply(f.ctx(), f.answerOf(gamma.ID, db.KindVM, vm("u1", "web"))))(f)
	// The other one was only asked who it is, and comes back.
	beta = f.sync(settings("beta"))[0]
	f.wantTwin(f.claim(beta, "c1"), "beta", "gamma", true)
	_, err := f.s.Apply(f.ctx(), f.answerOf(beta.ID, db.KindVM, vm("u1", "web")))
	f.wantTwin(err, "beta", "gamma", true)
	f.sync(settings("beta"), settings("gamma"))
	f.wantTwin(f.claim(beta, "c1"), "beta", "gamma", false)
	wantError(f, nil, f.claim(gamma, "c1"))
	same(f, "VMs", int64(1), f.shownVMs())
}

// secondNameDuring is a name whose first load has not ended when the other name comes, and it is frozen.
func secondNameDuring(f *fixture) {
	wantError(f, nil, f.claim(f.cluster, "c1"))
	must(f.s.RecordFailure(f.ctx(), f.cluster.ID, db.Failure{Kinds: []db.Kind{db.KindVM}, AttemptedAt: f.tick(), Error: "x", Reason: "y"}))(f)
	inside, on := make(chan struct{}), make(chan struct{})
	snap := f.answer(db.KindVM, vm("u1", "web"))
	items := snap.Changed
	snap.Changed = func(yield func(db.Item) bool) {
		close(inside)
		<-on
		items(yield)
	}
	first := make(chan error)
	go func() {
		_, err := f.s.Apply(f.ctx(), snap)
		first <- err
	}()
	<-inside
	second, frozen := make(chan error, 1), make(chan struct{})
	go func() {
		rows, err := f.s.SyncClusters(f.ctx(), []db.ClusterSettings{settings("beta")})
		close(frozen)
		if err == nil {
			in := db.ClusterInfo{ClusterID: rows[0].ID, StartedAt: f.now, Ticket: 9, UUID: "c1", Info: db.JSON(`{}`)}
			_, err = f.s.ApplyInfo(f.ctx(), in)
		}
		second <- err
	}()
	if f.s.Dialect() == "postgres" { // SQLite has one writer
		<-frozen
		select {
		case err := <-second:
			f.Errorf("the other name did not wait: %v", err)
			second <- err
		case <-time.After(300 * time.Millisecond):
		}
	}
	close(on)
	wantError(f, nil, <-first)
	f.wantTwin(<-second, "beta", "alpha", true)
}

// secondNameBefore is a database of a version that allowed it.
func secondNameBefore(f *fixture) {
	rows := f.sync(settings("alpha"), settings("beta"))
	beta := rows[1]
	wantError(f, nil, f.claim(f.cluster, "c1"))
	wantError(f, nil, f.claim(beta, "c2"))
	both := func() {
		f.Helper()
		f.apply(db.KindVM, vm("u1", "web"))
		f.applySnapshot(f.answerOf(beta.ID, db.KindVM, vm("u1", "web"), vm("u2", "db")))
	}
	both()
	f.mustWrite("UPDATE clusters SET uuid = 'c1'")
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	_, err := f.s.Apply(f.ctx(), f.answerOf(beta.ID, db.KindVM, vm("u1", "web")))
	f.wantTwin(err, "beta", "alpha", false)
	asked := f.ask()
	_, err = f.s.Observe(f.ctx(), db.Observation{ClusterID: beta.ID, Kind: db.KindVM, StartedAt: asked.At, Ticket: asked.Number, Item: vm("u3", "new")})
	f.wantTwin(err, "beta", "alpha", false)
	touch := db.Touch{Kind: db.KindVM, StartedAt: asked.At, Ticket: asked.Number, Generation: 1}
	f.wantTwin(f.s.TouchFresh(f.ctx(), beta.ID, nil, []db.Touch{touch}), "beta", "alpha", false)
	f.wantTwin(f.claim(beta, "c1"), "beta", "alpha", false)
	same(f, "its rows stay", int64(2), f.number("SELECT count(*) FROM vms WHERE cluster = 'beta'"))
	// The other one goes: this one goes on.
	f.sync(settings("beta"))
	wantError(f, nil, f.claim(beta, "c1"))
	must(f.s.Apply(f.ctx(), f.answerOf(beta.ID, db.KindVM, vm("u1", "web"))))(f)
}

func secondNameAllowed(f *fixture) {
	wantError(f, nil, f.claim(f.cluster, "c1"))
	copied := settings("copy")
	copied.AllowDuplicate = true
	beta := f.sync(settings("alpha"), copied)[1]
	wantError(f, nil, f.claim(beta, "c1"))
	wantError(f, nil, f.claim(f.cluster, "c1"))
	f.apply(db.KindVM, vm("u1", "web"))
	f.applySnapshot(f.answerOf(beta.ID, db.KindVM, vm("u1", "web")))
	beta = f.sync(settings("alpha"), settings("copy"))[1]
	same(f, "allowed no more", false, beta.AllowDuplicate)
	f.wantTwin(f.claim(beta, "c1"), "copy", "alpha", false)
	// A dry run does not write what the configuration says.
	_, err := f.s.ApplyInfo(f.ctx(), f.infoAnswer(`{"a": 1}`, func(in *db.ClusterInfo) {
		in.ClusterID, in.DryRun, in.AllowDuplicate = beta.ID, true, true
	}))
	wantError(f, nil, err)
}

func renamedCluster(f *fixture) {
	wantError(f, nil, f.claim(f.cluster, "c1"))
	f.apply(db.KindVM, vm("u1", "web"))
	must(f.s.Grant(f.ctx(), db.Grant{Subject: "ann", Permission: "use", Cluster: "alpha"}))(f)
	before, cursor := f.byName("alpha"), f.number("SELECT max(id) FROM changes")
	wantError(f, nil, f.s.RenameCluster(f.ctx(), "alpha", "omega"))
	after := f.byName("omega")
	before.Name = "omega"
	same(f, "the row", before, after)
	grants := must(f.s.Grants(f.ctx(), db.GrantFilter{Cluster: "omega"}))(f)
	same(f, "grants", 1, len(grants))
	page := must(f.s.ChangesAfter(f.ctx(), db.ChangeFilter{After: cursor}))(f)
	if len(page) != 1 {
		f.Fatalf("changes behind the cursor: %+v", page)
	}
	same(f, "the entry", db.Change{
		ID: cursor + 1, ClusterID: f.cluster.ID, Cluster: "omega", Kind: db.KindCluster, ObjectID: f.cluster.ID, UUID: "c1", Name: "omega",
		Op: db.OpRenamed, Fields: map[string]db.FieldChange{"name": {Old: "alpha", New: "omega"}}, ObservedAt: page[0].ObservedAt, RecordedAt: page[0].RecordedAt,
	}, page[0])
	// What was compared before goes on.
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	same(f, "VMs", int64(2), f.number("SELECT count(*) FROM vms WHERE cluster = 'omega'"))
	wantError(f, nil, f.claim(after, "c1"))
	wantError(f, db.ErrNotFound, f.s.RenameCluster(f.ctx(), "alpha", "omega"))
	wantError(f, db.ErrNotFound, f.s.RenameCluster(f.ctx(), "none", "other"))
	wantError(f, nil, f.s.RenameCluster(f.ctx(), "omega", "Omega"))
	wantError(f, nil, f.s.RenameCluster(f.ctx(), "Omega", "alpha"))
	same(f, "back", f.cluster.ID, f.byName("alpha").ID)
}

func renamedToTaken(f *fixture) {
	rows := f.sync(settings("alpha"), settings("beta"), settings("gamma"))
	wantError(f, nil, f.claim(rows[1], "c2"))
	wantError(f, db.ErrClusterExists, f.s.RenameCluster(f.ctx(), "alpha", "alpha"))
	wantError(f, db.ErrClusterExists, f.s.RenameCluster(f.ctx(), "alpha", "beta"))
	f.sync(settings("alpha"), settings("gamma"))
	wantError(f, db.ErrClusterExists, f.s.RenameCluster(f.ctx(), "alpha", "beta"))
	must(f.s.Grant(f.ctx(), db.Grant{Subject: "ann", Permission: "use", Cluster: "gamma"}))(f)
	wantError(f, db.ErrClusterExists, f.s.RenameCluster(f.ctx(), "alpha", "gamma"))
	wantError(f, nil, f.s.AddCluster(f.ctx(), storedCluster("kept"), nil))
	wantError(f, db.ErrClusterExists, f.s.RenameCluster(f.ctx(), "alpha", "kept"))
	if err := f.s.RenameCluster(f.ctx(), "alpha", ""); err == nil {
		f.Error("an empty name was accepted")
	}
	same(f, "the row", f.cluster.ID, f.byName("alpha").ID)
	same(f, "clusters", int64(4), f.number("SELECT count(*) FROM clusters"))
}

func renamedToEmpty(f *fixture) {
	wantError(f, nil, f.claim(f.cluster, "c1"))
	f.apply(db.KindVM, vm("u1", "web"))
	// The configuration has the new name already, and the old one is frozen.
	omega := f.sync(settings("omega"))[0]
	f.wantTwin(f.claim(omega, "c1"), "omega", "alpha", true)
	must(f.s.RecordFailure(f.ctx(), omega.ID, db.Failure{Kinds: []db.Kind{db.KindVM}, AttemptedAt: f.tick(), Error: "x", Reason: "y"}))(f)
	wantError(f, nil, f.s.RenameCluster(f.ctx(), "alpha", "omega"))
	same(f, "the row", f.cluster.ID, f.byName("omega").ID)
	same(f, "clusters", int64(1), f.number("SELECT count(*) FROM clusters"))
	row := f.sync(settings("omega"))[0]
	same(f, "goes on", []any{f.cluster.ID, true}, []any{row.ID, row.Enabled})
	// Whoever still asks under the row that is gone stores nothing.
	_, err := f.s.Apply(f.ctx(), f.answerOf(omega.ID, db.KindVM, vm("u1", "web")))
	wantError(f, db.ErrNotFound, err)
}

func renamedBehindConfig(f *fixture) {
	wantError(f, nil, f.claim(f.cluster, "c1"))
	wantError(f, nil, f.s.RenameCluster(f.ctx(), "alpha", "omega"))
	is := func(what string, rows []db.Cluster, listed string) {
		f.Helper()
		same(f, what, []any{f.cluster.ID, "omega", listed, true}, []any{rows[0].ID, rows[0].Name, rows[0].Listed, rows[0].Enabled})
	}
	clusters := func(what string, want ...string) {
		f.Helper()
		var got []string
		for _, c := range must(f.s.Clusters(f.ctx()))(f) {
			if c.Enabled {
				got = append(got, c.Name)
			}
		}
		slices.Sort(want)
		same(f, what, want, got)
	}
	// A process that runs knows the id, whatever the address is now.
	running := settings("alpha")
	running.ID, running.RAPIHost, running.CredentialsHash = f.cluster.ID, "new.example.org", "new"
	is("running", f.sync(running, settings("beta")), "alpha")
	clusters("running", "beta", "omega")
	running.ID = 0
	running.RAPIHost = "NEW.example.org."
	is("started anew", f.sync(running), "alpha")
	clusters("started anew", "omega")
	is("one of several", must(f.s.UpsertClusters(f.ctx(), []db.ClusterSettings{running}))(f), "alpha")
	// Once both are listed, the former name is another cluster's; likewise with another address.
	omega := settings("omega")
	rows := f.sync(running, omega)
	same(f, "both listed", []any{"alpha", "", f.cluster.ID}, []any{rows[0].Name, rows[0].Listed, rows[1].ID})
	if rows[0].ID == f.cluster.ID {
		f.Error("two names lead to one row")
	}
	is("the new name", f.sync(omega), "")
	wantError(f, nil, f.s.RemoveCluster(f.ctx(), "alpha", true))
	other := f.sync(settings("alpha"))[0]
	same(f, "another address", "alpha", other.Name)
	clusters("another address", "alpha")
}

func renamedSwap(f *fixture) {
	rows := f.sync(settings("alpha"), settings("beta"))
	wantError(f, nil, f.claim(rows[0], "c1"))
	wantError(f, nil, f.claim(rows[1], "c2"))
	for _, names := range [][2]string{{"alpha", "aside"}, {"beta", "alpha"}, {"aside", "beta"}} {
		wantError(f, nil, f.s.RenameCluster(f.ctx(), names[0], names[1]))
	}
	// A process that runs does not mistake one for the other.
	one, two := settings("alpha"), settings("beta")
	one.ID, two.ID = rows[0].ID, rows[1].ID
	got := f.sync(one, two)
	same(f, "running", []any{rows[0].ID, "beta", rows[1].ID, "alpha"}, []any{got[0].ID, got[0].Name, got[1].ID, got[1].Name})
	one.ID, two.ID = 0, 0
	one.Name, two.Name = "beta", "alpha"
	got = f.sync(one, two)
	same(f, "the new names", []any{rows[0].ID, rows[1].ID}, []any{got[0].ID, got[1].ID})
	same(f, "clusters", int64(2), f.number("SELECT count(*) FROM clusters"))
}

func renamedStored(f *fixture) {
	wantError(f, nil, f.s.AddCluster(f.ctx(), storedCluster("one"), nil))
	revision := must(f.s.ClustersRevision(f.ctx()))(f)
	row := f.sync(settings("alpha"), listedOne())[1]
	before := must2(f.s.StoredClusters(f.ctx()))(f)[0]
	wantError(f, nil, f.s.RenameCluster(f.ctx(), "one", "two"))
	after := must2(f.s.StoredClusters(f.ctx()))(f)
	before.Name = "two"
	same(f, "its settings", []db.StoredCluster{before}, after)
	if now := must(f.s.ClustersRevision(f.ctx()))(f); now <= revision {
		f.Errorf("revision %d after %d: no updater learns of it", now, revision)
	}
	// Until an updater has learned of it, it lists the old name.
	same(f, "listed as before", 1, len(f.sync(settings("alpha"), listedOne())))
	known := listedOne()
	known.ID = row.ID
	got := f.sync(settings("alpha"), known)[1]
	same(f, "known by its id", []any{row.ID, "two", true}, []any{got.ID, got.Name, got.Enabled})
	same(f, "clusters", int64(2), f.number("SELECT count(*) FROM clusters"))
}

// must2 drops the second value.
func must2[T, U any](v T, _ U, err error) func(testing.TB) T { return must(v, err) }
