package updater_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/robfig/cron/v3"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// password is the RAPI password of all simulated clusters: a string that is found nowhere by chance.
const password = "kaninchen-7f3a9c"

// rig is simulated clusters, a real database and the engine between them.
type rig struct {
	t       *testing.T
	store   *db.Store
	servers map[string]*rapisim.Server
	u       *updater.Updater
	logs    *observer.ObservedLogs
	opts    updater.Options
	// patience bounds each request; tests of clusters that hang shorten it.
	patience time.Duration
}

// newRig makes a rig with clusters of these names, each of o's size.
func newRig(t *testing.T, store *db.Store, o rapisim.Options, names ...string) *rig {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	r := &rig{t: t, store: store, servers: map[string]*rapisim.Server{}, logs: logs, patience: time.Minute}
	pool := ganeti.NewPool([]byte("a key of tests"))
	r.opts = updater.Options{
		Store: store, Logger: zap.New(core), Explain: true, Hash: pool.Hash,
		Connect: func(s ganeti.Settings) (updater.Source, error) { return pool.Get(s) },
	}
	for i, name := range names {
		o.Name, o.Seed, o.Username, o.Password = name+".example", uint64(i+1), "gwm", password
		s, err := rapisim.NewServer(rapisim.NewCluster(o))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		r.servers[name] = s
		r.opts.Clusters = append(r.opts.Clusters, r.cluster(name))
	}
	r.restart()
	return r
}

// cluster describes a simulated cluster to the engine.
func (r *rig) cluster(name string) updater.Cluster {
	s := r.servers[name]
	return updater.Cluster{
		Name: name,
		Settings: func() (ganeti.Settings, error) {
			return ganeti.Settings{
				URL: s.URL(), Username: "gwm", Password: password, TLS: ganeti.TLS{PinSHA256: s.Pin()},
				Timeouts: ganeti.Timeouts{Total: r.patience},
			}, nil
		},
		Schedules: map[db.Kind]cron.Schedule{
			db.KindVM: every(time.Minute), db.KindNode: every(time.Minute), db.KindGroup: every(15 * time.Minute),
			db.KindNetwork: every(15 * time.Minute), db.KindJob: every(time.Minute),
		},
	}
}

// restart makes a new engine that remembers nothing, as a new process would.
func (r *rig) restart() {
	r.t.Helper()
	u, err := updater.New(r.t.Context(), r.opts)
	if err != nil {
		r.t.Fatal(err)
	}
	r.u = u
}

// sim is the simulated cluster prod.
func (r *rig) sim() *rapisim.Cluster { return r.servers["prod"].Cluster() }

// refresh refreshes a cluster in all kinds and gives the result, whatever it is.
func (r *rig) refresh(name string) updater.Result {
	r.t.Helper()
	res, err := r.u.Refresh(r.t.Context(), name, updater.RefreshOptions{All: true})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// mustRefresh refreshes a cluster and ends the test when that fails.
func (r *rig) mustRefresh(name string) updater.Result {
	r.t.Helper()
	res := r.refresh(name)
	if err := res.Err(); err != nil {
		r.t.Fatalf("refreshing %s: %v", name, err)
	}
	return res
}

// vm is what the tests compare of a VM, as the cluster knows it and as the database has it.
type vm struct {
	UUID, Name, Status, AdminState, PrimaryNode string
	SerialNo                                    int64
	Tags                                        []string
}

// truth is what the simulator says.
func (r *rig) truth() []vm {
	var vms []vm
	for _, i := range r.sim().Instances() {
		vms = append(vms, vm{i.UUID, i.Name, i.Status, i.AdminState, i.PNode, int64(i.SerialNo), slices.Clone(i.Tags)})
	}
	slices.SortFunc(vms, func(a, b vm) int { return strings.Compare(a.UUID, b.UUID) })
	return vms
}

// vmRow is a row of virtual_machines, tombstones included.
type vmRow struct {
	ID          int64      `db:"id"`
	UUID        string     `db:"uuid"`
	Name        string     `db:"name"`
	Status      string     `db:"status"`
	AdminState  string     `db:"admin_state"`
	PrimaryNode string     `db:"primary_node"`
	SerialNo    int64      `db:"serial_no"`
	Tags        db.List    `db:"tags"`
	DeletedAt   *time.Time `db:"deleted_at"`
}

func (r *rig) rows(name string) []vmRow {
	r.t.Helper()
	var rows []vmRow
	r.query(&rows, `SELECT v.id, v.uuid, v.name, v.status, v.admin_state, v.primary_node, v.serial_no, v.tags, v.deleted_at
		FROM virtual_machines v JOIN clusters c ON c.id = v.cluster_id WHERE c.name = ? ORDER BY v.uuid`, name)
	return rows
}

func (r *rig) query(dest any, query string, args ...any) {
	r.t.Helper()
	d := r.store.DB()
	if err := d.SelectContext(r.t.Context(), dest, d.Rebind(query), args...); err != nil {
		r.t.Fatal(err)
	}
}

// row is the row of one VM of the cluster prod.
func (r *rig) row(vmName string) vmRow {
	r.t.Helper()
	for _, row := range r.rows("prod") {
		if row.Name == vmName {
			return row
		}
	}
	r.t.Fatalf("no row of %s", vmName)
	return vmRow{}
}

// wantTruth checks that the live rows of the cluster prod are what the cluster says of itself.
func (r *rig) wantTruth() {
	r.t.Helper()
	var live []vm
	for _, row := range r.rows("prod") {
		if row.DeletedAt == nil {
			live = append(live, vm{row.UUID, row.Name, row.Status, row.AdminState, row.PrimaryNode, row.SerialNo, row.Tags})
		}
	}
	if diff := cmp.Diff(r.truth(), live, cmpopts.EquateEmpty()); diff != "" {
		r.t.Errorf("the rows differ from the cluster (-cluster +rows):\n%s", diff)
	}
}

// freshness of one kind.
func (r *rig) freshness(name string, k db.Kind) db.Freshness {
	r.t.Helper()
	clusters, err := r.store.Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range clusters {
		for _, f := range c.Freshness {
			if c.Name == name && f.Kind == k {
				return f
			}
		}
	}
	r.t.Fatalf("no freshness of the %ss of %s", k, name)
	return db.Freshness{}
}

// changes lists what a result says it changed, one line each.
func changes(res updater.Result) []string {
	var lines []string
	for _, k := range res.Kinds {
		for _, c := range k.Outcome.Changes {
			lines = append(lines, fmt.Sprintf("%s %s %s", c.Op, c.Kind, c.Name))
		}
	}
	slices.Sort(lines)
	return lines
}

func wantChanges(t *testing.T, res updater.Result, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, changes(res), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("changes of the refresh (-want +got):\n%s", diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
