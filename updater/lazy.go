package updater

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"ganeticache/db"
)

// ReadStore is what a [Reader] needs of a database; *db.Store has it.
type ReadStore interface {
	ClusterByName(ctx context.Context, name string) (db.Cluster, error)
	VM(ctx context.Context, ref db.VMRef, p *db.Permitted) (db.VMView, error)
	Node(ctx context.Context, ref db.ObjectRef) (db.NodeView, error)
	Group(ctx context.Context, ref db.ObjectRef) (db.GroupView, error)
	Network(ctx context.Context, ref db.ObjectRef) (db.NetworkView, error)
	SearchVMs(ctx context.Context, f db.VMFilter) (db.Page[db.VMView], error)
	SearchNodes(ctx context.Context, f db.NodeFilter) (db.Page[db.NodeView], error)
	SearchGroups(ctx context.Context, f db.GroupFilter) (db.Page[db.GroupView], error)
	SearchNetworks(ctx context.Context, f db.NetworkFilter) (db.Page[db.NetworkView], error)
	Freshness(ctx context.Context, clusterID int64) (map[db.Kind]db.Freshness, error)
	KindFreshness(ctx context.Context, k db.Kind, clusters []string) ([]db.ClusterFreshness, error)
	Observe(ctx context.Context, o db.Observation) (db.Outcome, error)
	RecordFailure(ctx context.Context, clusterID int64, f db.Failure) (int, error)
	BeginReading(ctx context.Context, clusterID int64, holder string, ttl time.Duration) (db.Reading, bool, error)
	EndReading(ctx context.Context, l db.Reading) error
}

// DefaultMaxAge is how old a row may be before a [Reader] asks Ganeti about it, unless told otherwise. It lies well above
// any sensible schedule: reading lazily costs a call for each object, and is the fallback for when the updater is not
// running.
const DefaultMaxAge = 10 * time.Minute

// ReaderOptions are the parts and settings of a [Reader].
type ReaderOptions struct {
	Store ReadStore
	// Updater asks the clusters. It need not be running.
	Updater *Updater
	// MaxAge is the default of the read option of that name; [DefaultMaxAge] when zero.
	MaxAge time.Duration
	// Frozen is what is wrong with the database, such as that it takes no writes, so that nothing can be refreshed; nil when
	// nothing is. Readers then get what
	// is there with this error beside what is older than they allow, and no cluster is asked.
	Frozen error
}

// Reader reads the cache and, when a row is older than the caller allows, has it refreshed first: a single object with
// one call for that object, a list with one bulk call for each cluster that is too old. Readers that want the same thing
// share one call, in this process and across processes. Safe for concurrent use.
//
// When Ganeti fails, the old row is returned with its age and the error beside it, and the failure is remembered in the
// database: until the cluster's back-off is over, no further read waits for it.
type Reader struct {
	store   ReadStore
	u       *Updater
	maxAge  time.Duration
	frozen  error
	holder  string
	flights flights
	// gates has a channel for each cluster id, held while this process has or waits for the cluster's lease.
	gates sync.Map
}

// NewReader makes a Reader.
func NewReader(o ReaderOptions) *Reader {
	if o.MaxAge <= 0 {
		o.MaxAge = DefaultMaxAge
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	if o.Frozen != nil {
		o.Frozen = &storeError{o.Frozen}
	}
	return &Reader{
		store: o.Store, u: o.Updater, maxAge: o.MaxAge, frozen: o.Frozen,
		holder: fmt.Sprintf("reader %s/%d/%s", host, os.Getpid(), rand.Text()[:8]),
	}
}

// ReadOption says how fresh a read must be.
type ReadOption func(*readOptions)

type readOptions struct {
	maxAge    time.Duration
	cacheOnly bool
	must      bool
}

// MaxAge allows rows as old as d; older ones are refreshed first.
func MaxAge(d time.Duration) ReadOption { return func(o *readOptions) { o.maxAge = d } }

// CacheOnly takes what is there, whatever its age, and never asks Ganeti.
func CacheOnly() ReadOption { return func(o *readOptions) { o.cacheOnly = true } }

// MustBeFresh always asks Ganeti first, and makes a failure the read's own error.
func MustBeFresh() ReadOption { return func(o *readOptions) { o.must = true } }

func (r *Reader) options(opts []ReadOption) readOptions {
	o := readOptions{maxAge: r.maxAge}
	for _, set := range opts {
		set(&o)
	}
	return o
}

// stale says whether something of that age must be refreshed; never is a nil time.
func (o readOptions) stale(at *time.Time, now time.Time) bool {
	switch {
	case o.cacheOnly:
		return false
	case o.must, at == nil:
		return true
	default:
		// What is of the future is of no known age.
		return now.Sub(*at) > o.maxAge || future(at, now)
	}
}

// Cached is a value from the cache and what is known of its age.
type Cached[T any] struct {
	Value T
	// RefreshedAt is the time as of which the value is true (UTC), for a list that of its oldest cluster, but for those in
	// Errors; zero when nothing was ever fetched.
	RefreshedAt time.Time
	// Age is the time since then.
	Age time.Duration
	// Err is why the value is older than asked for; nil when it is not.
	Err error
	// Errors tells of a list's clusters that are older than asked for, or were never fetched, by name.
	Errors []ClusterError
}

// ClusterError is why what a list has of one cluster is older than the rest.
type ClusterError struct {
	Cluster string
	// RefreshedAt is as of when the rows of this cluster are true; nil when there never were any.
	RefreshedAt *time.Time
	Err         error
}

// ErrNeverRefreshed means that a cluster was not fetched so far, and that the reader did not ask for it to be.
var ErrNeverRefreshed = errors.New("nothing was fetched of it yet")

func cached[T any](v T, at *time.Time, now time.Time, err error) Cached[T] {
	c := Cached[T]{Value: v, Err: err}
	if at != nil {
		c.RefreshedAt, c.Age = *at, now.Sub(*at)
		switch {
		case future(at, now):
			c.Err = errors.Join(err, &ClockError{At: *at, Ahead: -c.Age})
		case c.Age < 0: // two clocks, or two looks at one
			c.Age = 0
		}
	}
	return c
}

// ClockError means that a row is as of a time that has not come yet: a clock was wrong when it was written, or is now. Its
// age is not known.
type ClockError struct {
	At    time.Time
	Ahead time.Duration
}

// Error implements error.
func (e *ClockError) Error() string {
	return fmt.Sprintf("the time on record (%s) lies %s in the future: a clock was or is wrong; the next refresh corrects it",
		e.At.UTC().Format(time.RFC3339), e.Ahead.Round(time.Second))
}

// errBackingOff wraps the remembered error of a cluster that is not asked again yet.
var errBackingOff = errors.New("not asked again yet")

// VM gives one VM. A VM that Ganeti no longer has is [db.ErrNotFound], and its row a tombstone. With p only a VM that is
// permitted is found; for others, the answer is the same as if it did not exist.
func (r *Reader) VM(ctx context.Context, ref db.VMRef, p *db.Permitted, opts ...ReadOption) (Cached[db.VMView], error) {
	load := func(ctx context.Context) (db.VMView, error) { return r.store.VM(ctx, ref, p) }
	missing := object{cluster: ref.Cluster, kind: db.KindVM, uuid: ref.UUID, name: ref.Name}
	if p != nil {
		missing = object{} // what a caller may not see, it must not have looked up either
	}
	return readOne(ctx, r, opts, missing, load, func(v db.VMView) (object, *time.Time) {
		return object{v.Cluster, v.ClusterID, db.KindVM, v.UUID, v.Name}, v.CachedAt
	})
}

// Node gives one node.
func (r *Reader) Node(ctx context.Context, ref db.ObjectRef, opts ...ReadOption) (Cached[db.NodeView], error) {
	load := func(ctx context.Context) (db.NodeView, error) { return r.store.Node(ctx, ref) }
	return readOne(ctx, r, opts, object{}, load, func(v db.NodeView) (object, *time.Time) {
		return object{v.Cluster, v.ClusterID, db.KindNode, v.UUID, v.Name}, v.CachedAt
	})
}

// Group gives one node group.
func (r *Reader) Group(ctx context.Context, ref db.ObjectRef, opts ...ReadOption) (Cached[db.GroupView], error) {
	load := func(ctx context.Context) (db.GroupView, error) { return r.store.Group(ctx, ref) }
	return readOne(ctx, r, opts, object{}, load, func(v db.GroupView) (object, *time.Time) {
		return object{v.Cluster, v.ClusterID, db.KindGroup, v.UUID, v.Name}, v.CachedAt
	})
}

// Network gives one network.
func (r *Reader) Network(ctx context.Context, ref db.ObjectRef, opts ...ReadOption) (Cached[db.NetworkView], error) {
	load := func(ctx context.Context) (db.NetworkView, error) { return r.store.Network(ctx, ref) }
	return readOne(ctx, r, opts, object{}, load, func(v db.NetworkView) (object, *time.Time) {
		return object{v.Cluster, v.ClusterID, db.KindNetwork, v.UUID, v.Name}, v.CachedAt
	})
}

// readOne loads a row, has it refreshed if it is too old, and loads it again. missing, when it names a cluster, says what
// to ask for when there is no row at all.
func readOne[T any](
	ctx context.Context, r *Reader, opts []ReadOption, missing object,
	load func(context.Context) (T, error), describe func(T) (object, *time.Time),
) (Cached[T], error) {
	o := r.options(opts)
	v, err := load(ctx)
	if errors.Is(err, db.ErrNotFound) && missing.cluster != "" && !o.cacheOnly {
		return discover(ctx, r, o, missing, load, describe)
	}
	if err != nil {
		return Cached[T]{}, err
	}
	obj, at := describe(v)
	if !o.stale(at, r.u.now()) {
		return cached(v, at, r.u.now(), nil), nil
	}
	if err := r.refreshObject(ctx, obj, o); err != nil {
		if o.must {
			return cached(v, at, r.u.now(), err), err
		}
		return cached(v, at, r.u.now(), err), nil
	}
	if v, err = load(ctx); err != nil {
		return Cached[T]{}, err
	}
	_, at = describe(v)
	return cached(v, at, r.u.now(), nil), nil
}

// discover asks for an object that is not in the cache, if the cache is too old to know.
func discover[T any](
	ctx context.Context, r *Reader, o readOptions, missing object,
	load func(context.Context) (T, error), describe func(T) (object, *time.Time),
) (Cached[T], error) {
	notFound := fmt.Errorf("%s %s of cluster %s: %w", missing.kind, missing.label(), missing.cluster, db.ErrNotFound)
	cluster, err := r.store.ClusterByName(ctx, missing.cluster)
	if err != nil {
		return Cached[T]{}, err
	}
	missing.clusterID = cluster.ID
	fresh, err := r.store.Freshness(ctx, cluster.ID)
	if err != nil {
		return Cached[T]{}, err
	}
	if !cluster.Enabled || !o.stale(fresh[missing.kind].RefreshedAt, r.u.now()) {
		return Cached[T]{}, notFound
	}
	if err := r.refreshObject(ctx, missing, o); err != nil {
		return Cached[T]{}, errors.Join(notFound, err)
	}
	v, err := load(ctx)
	if err != nil {
		return Cached[T]{}, err
	}
	_, at := describe(v)
	return cached(v, at, r.u.now(), nil), nil
}
