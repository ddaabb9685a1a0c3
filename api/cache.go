package api

import (
	"context"
	"time"

	"ganeticache/db"
)

// Read says how fresh something must be. The zero value leaves it to the [Cache].
type Read struct {
	// MaxAge is how old it may be before Ganeti is asked; nil is the cache's default.
	MaxAge *time.Duration
	// CacheOnly never asks Ganeti, whatever the age.
	CacheOnly bool
	// MustBeFresh always asks Ganeti first, and makes a failure the read's own error, a [RefreshError].
	MustBeFresh bool
}

// Cached is a value and what is known of its age.
type Cached[T any] struct {
	Value T
	// RefreshedAt is the time as of which the value is true (UTC), for a list that of its oldest cluster; zero when
	// nothing was ever fetched.
	RefreshedAt time.Time
	// Age is the time since then.
	Age time.Duration
	// Err is why the value is older than asked for, a [RefreshError]; nil when it is not.
	Err error
	// Errors are the clusters of a list that are older than asked for, whose age is not in RefreshedAt and Age.
	Errors []ClusterError
}

// ClusterError is a cluster of a list that could not be brought up to date.
type ClusterError struct {
	Cluster string
	// RefreshedAt is as of when its rows are true; nil when there never were any.
	RefreshedAt *time.Time
	// Age is the time since then.
	Age time.Duration
	// Err is a [RefreshError].
	Err error
}

// Cache is what the API shows. Errors are those of package db ([db.ErrNotFound], [db.ErrBadFilter],
// [*db.AmbiguousError]), a [*RefreshError], [ErrFrozen], or faults. Safe for concurrent use.
type Cache interface {
	VMs(ctx context.Context, f db.VMFilter, r Read) (Cached[db.Page[db.VMView]], error)
	VM(ctx context.Context, ref db.VMRef, p *db.Permitted, r Read) (Cached[db.VMView], error)
	Nodes(ctx context.Context, f db.NodeFilter, r Read) (Cached[db.Page[db.NodeView]], error)
	Node(ctx context.Context, ref db.ObjectRef, r Read) (Cached[db.NodeView], error)
	Groups(ctx context.Context, f db.GroupFilter, r Read) (Cached[db.Page[db.GroupView]], error)
	Group(ctx context.Context, ref db.ObjectRef, r Read) (Cached[db.GroupView], error)
	Networks(ctx context.Context, f db.NetworkFilter, r Read) (Cached[db.Page[db.NetworkView]], error)
	Network(ctx context.Context, ref db.ObjectRef, r Read) (Cached[db.NetworkView], error)
	// Cluster brings a cluster's own facts up to date; [Cache.Status] then has them.
	Cluster(ctx context.Context, name string, r Read) (Cached[db.Cluster], error)
	// RefreshCluster refreshes everything of a cluster now. Callers that come while it runs share the outcome.
	RefreshCluster(ctx context.Context, name string) (Refresh, error)

	// What follows never asks Ganeti.

	SearchJobs(ctx context.Context, f db.JobFilter) (db.Page[db.JobView], error)
	SumVMs(ctx context.Context, f db.VMFilter, by db.SumBy) ([]db.Sum, error)
	// ChangesAfter gives [*db.CursorGoneError] for a position behind which the log does not go on.
	ChangesAfter(ctx context.Context, f db.ChangeFilter) ([]db.Change, error)
	// ChangeEpochs are the epochs of the entries from first to last.
	ChangeEpochs(ctx context.Context, first, last int64) (db.ChangeEpochs, error)
	// LastChange is the id of the newest change, 0 when there is none. It is cheap.
	LastChange(ctx context.Context) (int64, error)
	// Status gives every cluster by name, with the age of its kinds.
	Status(ctx context.Context) ([]db.ClusterStatus, error)
	// Doubts looks into the values of a filter; empty says that it has found nothing.
	Doubts(ctx context.Context, f db.Doubtful, empty bool) ([]db.Doubt, error)
	// JobsNotCached says of which of these clusters, of all without names, nothing is cached about jobs.
	JobsNotCached(ctx context.Context, clusters []string) ([]db.Doubt, error)
	// VisibleClusters names the clusters of which p permits anything: true stands for the whole cluster, false for
	// some of its VMs. A nil p permits all.
	VisibleClusters(ctx context.Context, p *db.Permitted) (map[string]bool, error)
}
