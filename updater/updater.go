// Package updater is the engine: it keeps the rows of a database equal to what Ganeti clusters say of themselves.
//
// A cron entry per cluster decides when (schedule.go); [Updater.Refresh] is the one path by which anything is refreshed,
// whoever asks (refresh.go); a kind is fetched, compared and applied in fetch.go; guard.go and backoff.go decide what
// is not removed and when a failing cluster is asked again.
//
// The package knows neither SQL nor HTTP: it takes a [Store] and a way to reach a cluster as interfaces. All methods of
// [Updater] are safe for concurrent use. Trouble with one cluster, a panic included, ends that refresh and no other.
package updater

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/robfig/cron/v3"
	"go.uber.org/zap"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// Store is what the engine needs of a database; *db.Store has it.
type Store interface {
	SyncClusters(ctx context.Context, settings []db.ClusterSettings) ([]db.Cluster, error)
	UpsertClusters(ctx context.Context, settings []db.ClusterSettings) ([]db.Cluster, error)
	MatchClusters(ctx context.Context, settings []db.ClusterSettings) ([]db.Cluster, error)
	Twin(ctx context.Context, c db.Cluster, uuid string) error
	Freshness(ctx context.Context, clusterID int64) (map[db.Kind]db.Freshness, error)
	Fingerprints(ctx context.Context, clusterID int64, kind db.Kind) (db.Fingerprints, error)
	Apply(ctx context.Context, s db.Snapshot) (db.Outcome, error)
	ApplyInfo(ctx context.Context, i db.ClusterInfo) (db.Outcome, error)
	TouchFresh(ctx context.Context, clusterID int64, l *db.Lease, touches []db.Touch) error
	RecordFailure(ctx context.Context, clusterID int64, f db.Failure) (int, error)
	SetServing(ctx context.Context, clusterID int64, l *db.Lease, at db.RAPIAddress) error
	Ticket(ctx context.Context) (db.Ticket, error)
	Clock(ctx context.Context) (time.Time, error)
	CorrectTimes(ctx context.Context, clusterID int64, k db.Kind, at time.Time) (int64, error)
	PurgeChanges(ctx context.Context, recordedBefore time.Time) (int64, error)
	ChangesKept(ctx context.Context) (time.Duration, error)
	PurgeClusters(ctx context.Context, tombstonedBefore time.Time, names []string) (int64, error)
	Claim(ctx context.Context) (release func() error, err error)
	Share(ctx context.Context, r db.Replica, clusters []int64) (db.Shares, error)
	Leave(ctx context.Context, replica string) error
	Unreadable(ctx context.Context, answers []db.Compared) ([]string, error)
}

// Source is what the engine needs of a cluster's remote API; *ganeti.Client has it. One that chooses among several
// addresses says in each answer which one it is from; the engine believes an answer only when that address has shown the
// cluster's uuid. If it has the method Distrust(ganeti.Address), that is told which address is another cluster's; if it has
// CertificateExpires() time.Time, the metrics show that.
type Source interface {
	Info(ctx context.Context) (ganeti.Answer, error)
	Bulk(ctx context.Context, r ganeti.Resource, known *ganeti.Index) (*ganeti.Delta, error)
	Item(ctx context.Context, r ganeti.Resource, name string) (ganeti.Answer, error)
}

// Cluster is one cluster to keep fresh.
type Cluster struct {
	// Name is the operator's name of the cluster, unique, and what its row is found by. One that was renamed in the database
	// alone is found by its former name, too; see [Updater.Renamed].
	Name string
	// Settings says how to reach the cluster. It is called for each refresh, so that a changed password file is seen at
	// once. When the password cannot be read it returns the error and the other settings.
	Settings func() (ganeti.Settings, error)
	// Schedules says when each kind is refreshed; a kind that is absent never is. The cluster's own info is read with
	// every refresh and needs no entry.
	Schedules map[db.Kind]cron.Schedule
	// Budget is the share of time that scheduled refreshes may keep the cluster's RAPI busy, 0.1 for a tenth: one that
	// answers slowly is asked less often than the schedules say. Zero, or 1 and more, is no limit.
	Budget float64
	// Stored says that the settings are kept in the database, which alone decides whether there is such a cluster.
	Stored bool
	// AllowDuplicate says that the Ganeti cluster may be cached under another name as well. Otherwise the name that comes
	// second is refused. That of a stored cluster is its row's.
	AllowDuplicate bool
}

// Options are the parts and settings of an [Updater]. Store, Connect and Hash are required.
type Options struct {
	Store Store
	// Connect gives the client for the settings. It is called for each refresh and expected to cache.
	Connect func(ganeti.Settings) (Source, error)
	// Hash gives the credentials hash that is stored with the cluster.
	Hash func(ganeti.Settings) (string, error)
	// Retain, when set, is told which hashes are in use, so that clients of other settings can be forgotten.
	Retain func(hashes []string)
	// Backfill brings a batch of stored rows up to what this version stores; *db.Store's, or nil for none.
	Backfill func(ctx context.Context) (db.BackfillStep, error)
	// Redact says whose values are replaced before an object is stored; nil is the built-in list of secret names.
	Redact *ganeti.Redactor
	// Clusters to refresh; [Updater.Reload] replaces them.
	Clusters []Cluster
	// KeepOthers leaves clusters that the database knows and Clusters does not list as they are. Otherwise they are
	// disabled: frozen, nothing removed.
	KeepOthers bool
	// Concurrency is how many clusters' answers are read, compared and written at the same time; 8 when zero. Clusters that
	// are waited for do not count.
	Concurrency int
	// Guard against mass removals; DefaultGuard when it is the zero Guard.
	Guard Guard
	// Retention is how long a tombstone is kept; zero keeps tombstones for ever.
	Retention time.Duration
	// RetentionChanges is how long entries of changes are kept: zero as the database says, below zero for ever.
	RetentionChanges time.Duration
	// DryRun fetches and compares, and writes nothing at all.
	DryRun bool
	// Explain asks for the changes themselves in [KindResult.Changes], not only their number.
	Explain bool
	// OnResult, when set, is called after each refresh, from its goroutine.
	OnResult func(Result)
	// OnBeat, when set, is called by [Updater.Run] each time its scheduler shows that it is alive, the first time when the
	// schedule has begun. It is for watchdogs, and must not block: the scheduler waits for it.
	OnBeat func()
	// Beat is the time between two heartbeats, whole seconds; BeatInterval when zero, and never more.
	Beat time.Duration
	// Logger gets one line for each refresh; nil logs nothing.
	Logger *zap.Logger
	// Registerer gets the metrics; nil registers none.
	Registerer prometheus.Registerer
	// Now is this process's clock; time.Now when nil. On PostgreSQL the database's counts where there is a choice, and
	// durations are measured by the monotonic clock.
	Now func() time.Time
	// Lease is how long the clusters of this process stay its own when it is not heard of any more; 30 s when zero.
	Lease time.Duration
	// Grace is how long running refreshes may go on after [Updater.Run] is told to stop; 8 s when zero.
	Grace time.Duration
}

// Updater refreshes clusters. Make one with [New].
type Updater struct {
	opts    Options
	log     *zap.Logger
	metrics *metrics
	clock   *clock
	started time.Time
	places  *places
	part    *part
	frugal  frugal

	mu      sync.Mutex
	targets map[string]*target
	order   []string
	// heard is when the scheduler was last alive, in nanoseconds since started; 0 before it began.
	heard atomic.Int64
	// pretended has the names under which Ganeti clusters were seen in a dry run, by uuid.
	pretended sync.Map
	// reloaded carries the news of a new set of clusters to the scheduler.
	reloaded chan struct{}
}

// target is one cluster and what this process remembers of it between refreshes.
type target struct {
	// cluster's Settings are the configured ones, with the address to begin with.
	cluster    Cluster
	configured func() (ganeti.Settings, error)
	plan       plan
	// id of the row; 0 when there is none yet. rowName is the cluster's name in the database.
	id      int64
	rowName string
	// unknownAt is where it answers, if its uuid is not known yet; see queues.
	unknownAt db.RAPIAddress
	// digests makes what the row's objects are recognised by.
	digests ganeti.Hasher

	// failed says that the last refresh met trouble of the whole cluster; the next one begins with a probe.
	failed atomic.Bool
	// busy is held for the time of a refresh: RAPI gains nothing from parallel calls, and the fields below need an owner.
	busy chan struct{}
	row  db.Cluster
	info remembered[ganeti.Digest]
	// known is the record of the last answer of each kind, valid for one generation of the rows in the database.
	known map[db.Kind]remembered[*ganeti.Index]
	pace  pace
	// corrected says after how many steps of the clock the rows of a kind were last looked at for times that cannot be.
	corrected map[db.Kind]int
	// held is until when the budget has nothing refreshed on schedule; nil when the schedule rules. The scheduler reads it.
	held atomic.Pointer[time.Time]
	// stamps says which times on record cannot be, as last seen; busyFor is how long the last refreshes kept RAPI busy.
	stamps  atomic.Pointer[string]
	suspect atomic.Bool
	busyFor atomic.Int64
	// outage tells readers who wait for the cluster that it does not answer.
	outage *outage
	// serving is the address that served last, for new clients to begin with; any goroutine may read it.
	serving atomic.Pointer[ganeti.Address]
}

// settings are the configured ones, with the address that served last in front.
func (t *target) settings() (ganeti.Settings, error) {
	s, err := t.configured()
	s.Start = *t.serving.Load()
	return s, err
}

// remembered is a value that was right when the database was at the given generation.
type remembered[T any] struct {
	value      T
	generation int64
	ok         bool
}

// ErrUnknownCluster is returned for a cluster name that is not configured.
var ErrUnknownCluster = errors.New("unknown cluster")

// New makes an Updater and records its clusters in the store. It returns the store's error when that is not possible.
func New(ctx context.Context, o Options) (*Updater, error) {
	if o.Concurrency <= 0 {
		o.Concurrency = 8
	}
	if o.Grace <= 0 {
		o.Grace = 8 * time.Second
	}
	if o.Lease <= 0 {
		o.Lease = defaultLease
	}
	if o.Beat <= 0 || o.Beat > BeatInterval {
		o.Beat = BeatInterval
	}
	if o.Guard == (Guard{}) {
		o.Guard = DefaultGuard()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	u := &Updater{
		opts: o, log: o.Logger, metrics: m, clock: newClock(o.Now, o.Logger, m), started: time.Now(),
		part:     newPart(o.Lease, o.Logger, m),
		targets:  map[string]*target{},
		reloaded: make(chan struct{}, 1),
	}
	u.places = newPlaces(o.Concurrency, m, &u.frugal)
	if err := u.lookAtClock(ctx); err != nil {
		return nil, err
	}
	if err := u.Reload(ctx, o.Clusters); err != nil {
		return nil, err
	}
	if o.Backfill != nil && !o.DryRun {
		// Before anything is stored: what is empty now has nothing of earlier versions.
		if _, err := o.Backfill(ctx); err != nil {
			u.log.Warn("looking for rows of earlier versions failed; it is tried again", zap.Error(err))
		}
	}
	return u, nil
}

// Now is the time by which the engine decides what is due and how old something is: on PostgreSQL the database's.
func (u *Updater) Now() time.Time { return u.clock.now() }

// now gives the time by which things are due; see clock.
func (u *Updater) now() time.Time { return u.clock.now() }

// ids lists the rows of the configured clusters.
func (u *Updater) ids() []int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	ids := make([]int64, 0, len(u.targets))
	for _, t := range u.targets {
		if t.id != 0 {
			ids = append(ids, t.id)
		}
	}
	return ids
}

// forgetMetrics drops the series of clusters that another replica refreshes from now on: what they last said here would
// grow old without being true.
func (u *Updater) forgetMetrics(lost map[int64]bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for name, t := range u.targets {
		if lost[t.id] {
			u.metrics.forget(name)
			// Should the cluster come back, and fail, its interval is shown from what is on record: the alerts measure by it.
			t.pace.shown.Store(false)
		}
	}
}

// forgetGone drops the series of a cluster that has left the configuration while it was being asked.
func (u *Updater) forgetGone(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.targets[name]; !ok {
		u.metrics.forget(name)
	}
}

// Names lists the configured clusters in the order of the configuration.
func (u *Updater) Names() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.order)
}

// targetByID finds the target of a row.
func (u *Updater) targetByID(id int64) (*target, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range u.targets {
		if t.id == id {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w with id %d", ErrUnknownCluster, id)
}

func (u *Updater) target(name string) (*target, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t, ok := u.targets[name]
	for _, other := range u.targets {
		// Readers know a cluster by its name in the database.
		if !ok && other.id != 0 && other.rowName == name {
			return other, nil
		}
	}
	if !ok {
		return nil, fmt.Errorf("%w %q: the configuration lists %d clusters, none of that name", ErrUnknownCluster, name, len(u.targets))
	}
	return t, nil
}
