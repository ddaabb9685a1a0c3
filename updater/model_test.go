package updater_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/robfig/cron/v3"
	"pgregory.net/rapid"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti"
	"ganeticache/updater"
)

// modelKinds are the kinds of the model: one that is read lazily by object, one by kind, and one that expires.
func modelKinds() []db.Kind { return []db.Kind{db.KindVM, db.KindNode, db.KindJob} }

// machine is a simulated cluster, two updaters on one database, and the model of what that must hold.
type machine struct {
	t         *rapid.T
	world     *world
	store     *modelStore
	clusterID int64
	name      string
	updaters  [2]*updater.Updater
	readers   [2]*updater.Reader

	records    map[db.Kind]*record
	grants     []int64
	lastChange int64
	sabotage   sabotage
	// touched is the uuid of what changed last.
	touched string
}

// TestModel does to the engine whatever may happen, in any order, and after each step compares the rows with a model: any
// sequence of answers, lazy reads, failures and crashes leaves the rows as the model says. More steps: -rapid.checks,
// -rapid.steps.
func TestModel(t *testing.T) {
	t.Parallel()
	fewChecks(t, "30")
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		w, cases := newWire(t), 0
		rapid.Check(t, func(t *rapid.T) {
			cases++
			m := newMachine(t, s, w, fmt.Sprint("c", cases))
			t.Repeat(map[string]func(*rapid.T){
				"":         m.check,
				"change":   func(t *rapid.T) { m.change(t) },
				"refresh":  func(t *rapid.T) { m.refreshWell(t, m.anUpdater(t), m.someKinds(t)) },
				"read":     func(t *rapid.T) { m.readWell(t, m.anUpdater(t)) },
				"list":     func(t *rapid.T) { m.listWell(t, m.anUpdater(t)) },
				"trouble":  m.doTrouble,
				"sabotage": m.doSabotage,
				"overlap":  m.doOverlap,
				"late":     m.doLate,
				"foreign":  m.doForeign,
				"restart":  func(t *rapid.T) { m.restart(m.anUpdater(t)) },
				"approve":  m.doApprove,
				"grant":    m.doGrant,
				"wait": func(t *rapid.T) {
					m.world.now = m.world.now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "minutes")) * time.Minute)
				},
			})
			m.refreshWell(t, 0, modelKinds())
			m.check(t)
		})
	})
}

// fewChecks keeps an ordinary run short; a number on the command line wins.
func fewChecks(t *testing.T, n string) {
	t.Helper()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		must(t, flag.Set("rapid.checks", n))
	}
}

func newMachine(t *rapid.T, s *db.Store, w *wire, name string) *machine {
	m := &machine{t: t, name: name, world: newWorld(w, name, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), records: map[db.Kind]*record{}}
	m.store = &modelStore{Store: s, m: m}
	for _, k := range append(modelKinds(), db.KindCluster) {
		m.records[k] = &record{rows: map[string]*recordRow{}, guarded: k != db.KindJob, maxObjects: 2, maxPct: 40, n: 2}
	}
	m.restart(0)
	m.restart(1)
	cluster, err := s.ClusterByName(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	m.clusterID = cluster.ID
	return m
}

// restart is the end of a process, in whatever way, and the start of another: nothing is remembered.
func (m *machine) restart(i int) {
	schedules := map[db.Kind]cron.Schedule{}
	for _, k := range modelKinds() {
		schedules[k] = every(time.Minute)
	}
	u, err := updater.New(m.t.Context(), updater.Options{
		Store: m.store, KeepOthers: true, Now: func() time.Time { return m.world.now },
		Guard:   updater.Guard{MaxObjects: 2, MaxPercent: 40, Snapshots: 2},
		Connect: func(ganeti.Settings) (updater.Source, error) { return m.world, nil },
		Hash:    func(ganeti.Settings) (string, error) { return "hash", nil },
		Clusters: []updater.Cluster{{
			Name: m.name, Schedules: schedules,
			Settings: func() (ganeti.Settings, error) { return ganeti.Settings{URL: "https://model.example"}, nil },
		}},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.updaters[i] = u
	m.readers[i] = updater.NewReader(updater.ReaderOptions{Store: m.store, Updater: u})
}

func (m *machine) anUpdater(t *rapid.T) int { return rapid.IntRange(0, 1).Draw(t, "updater") }

// someKinds are one kind, or all.
func (m *machine) someKinds(t *rapid.T) []db.Kind {
	if rapid.Bool().Draw(t, "all kinds") {
		return modelKinds()
	}
	return []db.Kind{rapid.SampledFrom(modelKinds()).Draw(t, "kind")}
}

func (m *machine) refresh(ctx context.Context, i int, ks []db.Kind) error {
	res, err := m.updaters[i].Refresh(ctx, m.name, updater.RefreshOptions{Kinds: ks})
	return errors.Join(err, res.Err())
}

// refreshWell refreshes while nothing is in the way: what the cluster says now must be on record.
func (m *machine) refreshWell(t *rapid.T, i int, ks []db.Kind) {
	var withheld *updater.WithheldError
	if err := m.refresh(t.Context(), i, ks); err != nil && !errors.As(err, &withheld) {
		t.Errorf("a refresh with nothing in its way failed: %v", err)
	}
	for _, k := range append(slices.Clone(ks), db.KindCluster) {
		if got, want := m.records[k].snapshotAt, m.world.lastAnswered[k]; !got.Equal(want) {
			t.Errorf("the %ss of %s are on record, the last answer is of %s", k, got, want)
		}
	}
}

// aVM is one that the database has or had, by uuid or name.
func (m *machine) aVM(t *rapid.T) db.VMRef {
	uuids := slices.Sorted(maps.Keys(m.records[db.KindVM].rows))
	if len(uuids) == 0 || rapid.IntRange(0, 4).Draw(t, "by name") == 0 {
		return db.VMRef{Cluster: m.name, Name: rapid.SampledFrom(names()).Draw(t, "vm name")}
	}
	if slices.Contains(uuids, m.touched) && rapid.Bool().Draw(t, "what changed last") {
		return db.VMRef{Cluster: m.name, UUID: m.touched}
	}
	return db.VMRef{Cluster: m.name, UUID: rapid.SampledFrom(uuids).Draw(t, "vm uuid")}
}

// read reads a VM as somebody who insists, or who takes what is young enough.
func (m *machine) read(ctx context.Context, i int, ref db.VMRef, insists bool) error {
	option := updater.MaxAge(time.Minute)
	if insists {
		option = updater.MustBeFresh()
	}
	_, err := m.readers[i].VM(ctx, ref, nil, option)
	return err
}

// readWell reads a VM while nothing is in the way: one that insists sees what the cluster says now.
func (m *machine) readWell(t *rapid.T, i int) {
	ref := m.aVM(t)
	want, exists := m.world.find(ref.UUID + ref.Name)
	got, err := m.readers[i].VM(t.Context(), ref, nil, updater.MustBeFresh())
	var ambiguous *db.AmbiguousError
	switch {
	case exists && want.Flaw != "":
		// Ganeti says of it what nobody can read; the reader gets an error or the old row.
	case err == nil && (!exists || got.Value.UUID != want.UUID || got.Value.Status+" "+got.Value.PrimaryNode != want.Status):
		t.Errorf("reading %+v gave %s %s %s, the cluster says %+v", ref, got.Value.UUID, got.Value.Status, got.Value.PrimaryNode, want)
	case errors.As(err, &ambiguous):
		// Two live rows of one name: the removal of one is withheld.
	case err != nil && exists && !flawedNamesake(m.world, ref, m.records[db.KindVM]):
		t.Errorf("reading %+v: %v; the cluster says %+v", ref, err, want)
	}
}

// flawedNamesake says that what answers to a VM's old name is an object that cannot be read: nobody can tell then what
// became of the VM.
func flawedNamesake(w *world, ref db.VMRef, r *record) bool {
	row := r.rows[ref.UUID]
	if row == nil {
		return false
	}
	namesake, ok := w.find(row.Name)
	return ok && namesake.Flaw != ""
}

func (m *machine) list(ctx context.Context, i int, option updater.ReadOption) error {
	_, err := m.readers[i].VMs(ctx, db.VMFilter{Clusters: []string{m.name}}, option)
	return err
}

// listWell reads all VMs while nothing is in the way.
func (m *machine) listWell(t *rapid.T, i int) {
	err := m.list(t.Context(), i, updater.MustBeFresh())
	var withheld *updater.WithheldError
	if err != nil && !errors.As(err, &withheld) {
		t.Errorf("a list with nothing in its way failed: %v", err)
	}
	if got, want := m.records[db.KindVM].snapshotAt, m.world.lastAnswered[db.KindVM]; !got.Equal(want) {
		t.Errorf("the VMs of %s are on record, the last answer is of %s", got, want)
	}
}

// check compares the database with the model.
func (m *machine) check(t *rapid.T) {
	fresh, err := m.store.Store.Freshness(t.Context(), m.clusterID)
	if err != nil {
		t.Fatal(err)
	}
	logged := m.newChanges()
	for _, k := range append(modelKinds(), db.KindCluster) {
		r, f := m.records[k], fresh[k]
		m.compare(t, k, "refreshed_at", r.freshAt, timeOf(f.RefreshedAt))
		m.compare(t, k, "snapshot_at", r.snapshotAt, timeOf(f.SnapshotAt))
		if k == db.KindCluster {
			continue
		}
		m.compare(t, k, "pending removals", len(r.pending), f.Pending.Count)
		slices.Sort(r.changes)
		m.compare(t, k, "changes", r.changes, logged[k])
		r.changes = nil
		m.checkRows(t, k)
		m.checkQuarantine(t, k)
	}
	var granted []int64
	m.query(&granted, "SELECT p.vm_id FROM permissions p JOIN virtual_machines v ON v.id = p.vm_id WHERE v.cluster_id = ? ORDER BY p.vm_id", m.clusterID)
	slices.Sort(m.grants)
	m.compare(t, db.KindVM, "grants", m.grants, granted)
}

// checkRows compares the rows; an id is what it was at first sight, for ever.
func (m *machine) checkRows(t *rapid.T, k db.Kind) {
	table, status := tableOf(k)
	var got, want []row
	m.query(&got, "SELECT id, uuid, name, "+status+" AS status, deleted_at IS NOT NULL AS deleted FROM "+table+
		" WHERE cluster_id = ? ORDER BY uuid", m.clusterID)
	for _, g := range got {
		if known := m.records[k].rows[g.UUID]; known != nil && known.ID == 0 {
			known.ID = g.ID
		}
	}
	for _, r := range m.records[k].rows {
		want = append(want, r.row)
	}
	slices.SortFunc(want, func(a, b row) int { return strings.Compare(a.UUID, b.UUID) })
	m.compare(t, k, "rows", want, got)
}

// checkQuarantine counts the items set aside. One whose uuid cannot be read may stay for longer than the cluster has it.
func (m *machine) checkQuarantine(t *rapid.T, k db.Kind) {
	var keyed, keyless []int
	m.query(&keyed, "SELECT count(*) FROM quarantine WHERE cluster_id = ? AND kind = ? AND uuid <> ''", m.clusterID, k)
	m.query(&keyless, "SELECT count(*) FROM quarantine WHERE cluster_id = ? AND kind = ? AND uuid = ''", m.clusterID, k)
	m.compare(t, k, "quarantine", []int{m.records[k].broken}, keyed)
	if m.records[k].keyless > keyless[0] {
		t.Errorf("%d %ss without a uuid in quarantine, the newest answer has %d", keyless[0], k, m.records[k].keyless)
	}
}

func (m *machine) compare(t *rapid.T, k db.Kind, what string, want, got any) {
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s of the %ss (-model +database):\n%s", what, k, diff)
	}
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
