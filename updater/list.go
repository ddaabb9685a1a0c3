package updater

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ganeticache/db"
)

// VMs gives the VMs that pass the filter. Clusters of the filter that are too old are refreshed first, each with one bulk
// call, never a call for each VM.
func (r *Reader) VMs(ctx context.Context, f db.VMFilter, opts ...ReadOption) (Cached[db.Page[db.VMView]], error) {
	return readList(ctx, r, opts, db.KindVM, f.Clusters, func(ctx context.Context) (db.Page[db.VMView], error) {
		return r.store.SearchVMs(ctx, f)
	})
}

// Nodes gives the nodes that pass the filter; see [Reader.VMs].
func (r *Reader) Nodes(ctx context.Context, f db.NodeFilter, opts ...ReadOption) (Cached[db.Page[db.NodeView]], error) {
	return readList(ctx, r, opts, db.KindNode, f.Clusters, func(ctx context.Context) (db.Page[db.NodeView], error) {
		return r.store.SearchNodes(ctx, f)
	})
}

// Groups gives the node groups that pass the filter; see [Reader.VMs].
func (r *Reader) Groups(ctx context.Context, f db.GroupFilter, opts ...ReadOption) (Cached[db.Page[db.GroupView]], error) {
	return readList(ctx, r, opts, db.KindGroup, f.Clusters, func(ctx context.Context) (db.Page[db.GroupView], error) {
		return r.store.SearchGroups(ctx, f)
	})
}

// Networks gives the networks that pass the filter; see [Reader.VMs].
func (r *Reader) Networks(ctx context.Context, f db.NetworkFilter, opts ...ReadOption) (Cached[db.Page[db.NetworkView]], error) {
	return readList(ctx, r, opts, db.KindNetwork, f.Clusters, func(ctx context.Context) (db.Page[db.NetworkView], error) {
		return r.store.SearchNetworks(ctx, f)
	})
}

// Cluster gives the cluster itself, as its /2/info said.
func (r *Reader) Cluster(ctx context.Context, name string, opts ...ReadOption) (Cached[db.Cluster], error) {
	return readList(ctx, r, opts, db.KindCluster, []string{name}, func(ctx context.Context) (db.Cluster, error) {
		return r.store.ClusterByName(ctx, name)
	})
}

// RefreshCluster refreshes all kinds of a cluster now. Callers that come while one runs share the next.
func (r *Reader) RefreshCluster(ctx context.Context, name string) (Result, error) {
	if r.frozen != nil {
		return Result{Cluster: name}, r.frozen
	}
	shared, err := r.flights.join("cluster/"+name, true, func() (any, error) {
		return r.u.Refresh(context.WithoutCancel(ctx), name, RefreshOptions{All: true, reader: true})
	}).wait(ctx)
	if res, ok := shared.(Result); ok {
		return res, err
	}
	return Result{Cluster: name}, err
}

// readList has the clusters that are too old refreshed and then loads.
func readList[T any](
	ctx context.Context, r *Reader, opts []ReadOption, k db.Kind, clusters []string, load func(context.Context) (T, error),
) (Cached[T], error) {
	o := r.options(opts)
	fresh, err := r.store.KindFreshness(ctx, k, clusters)
	if err != nil {
		return Cached[T]{}, err
	}
	failed := r.refreshStale(ctx, k, fresh, o)
	refreshErr := joinClusters(failed)
	if refreshErr != nil && o.must {
		return Cached[T]{}, refreshErr
	}
	if !o.cacheOnly {
		if fresh, err = r.store.KindFreshness(ctx, k, clusters); err != nil {
			return Cached[T]{}, err
		}
	}
	v, err := load(ctx)
	if err != nil {
		return Cached[T]{}, err
	}
	errs, rest := sortOut(fresh, failed)
	c := cached(v, oldest(rest), r.u.now(), refreshErr)
	c.Errors = errs
	return c, nil
}

// joinClusters makes one error of those of several clusters, in the order of their names.
func joinClusters(failed map[string]error) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		errs = append(errs, fmt.Errorf("%s: %w", name, failed[name]))
	}
	return errors.Join(errs...)
}

// sortOut parts the clusters that are in trouble from the rest, whose age is that of the list. Where all are in trouble it
// is the age of those that have one.
func sortOut(fresh []db.ClusterFreshness, failed map[string]error) (errs []ClusterError, rest []db.ClusterFreshness) {
	var old []db.ClusterFreshness
	for _, f := range fresh {
		err := failed[f.Cluster]
		if err == nil && f.RefreshedAt == nil {
			err = ErrNeverRefreshed
		}
		if err == nil {
			rest = append(rest, f)
			continue
		}
		errs = append(errs, ClusterError{f.Cluster, f.RefreshedAt, err})
		if f.RefreshedAt != nil {
			old = append(old, f)
		}
	}
	if len(rest) == 0 {
		rest = old
	}
	return errs, rest
}

// refreshStale refreshes the clusters that are too old, and returns what went wrong, by cluster. A disabled cluster is
// frozen.
func (r *Reader) refreshStale(ctx context.Context, k db.Kind, fresh []db.ClusterFreshness, o readOptions) map[string]error {
	var g errgroup.Group
	g.SetLimit(r.u.places.readers.asking.size + r.u.places.readers.patient.size)
	var mu sync.Mutex
	failed := map[string]error{}
	for _, f := range fresh {
		if !f.Enabled || !o.stale(f.RefreshedAt, r.u.now()) {
			continue
		}
		g.Go(func() error {
			if err := r.refreshKind(ctx, f, k, o); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[f.Cluster] = err
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck,gosec // what fails is noted above
	return failed
}

// refreshKind refreshes one kind of one cluster by a bulk call that all its readers share.
func (r *Reader) refreshKind(ctx context.Context, f db.ClusterFreshness, k db.Kind, o readOptions) error {
	return r.share(ctx, f.Cluster, fmt.Sprintf("%d/%s", f.ClusterID, k), o, func(ctx context.Context, asked db.Ticket) error {
		if err := r.backingOff(ctx, f.ClusterID, k, o); err != nil {
			return err
		}
		return r.underReading(ctx, f.ClusterID, func(ctx context.Context) (bool, error) {
			fresh, err := r.store.Freshness(ctx, f.ClusterID)
			if err != nil {
				return false, &storeError{err}
			}
			return r.satisfied(fresh[k], o, asked), nil
		}, func(ctx context.Context) error {
			res, err := r.u.Refresh(ctx, f.Cluster, RefreshOptions{Kinds: []db.Kind{k}, reader: true})
			if err != nil {
				return err
			}
			return res.Err()
		})
	})
}

// oldest gives the time as of which all of them are true; nil when one was never refreshed.
func oldest(fresh []db.ClusterFreshness) *time.Time {
	var at *time.Time
	for _, f := range fresh {
		if f.RefreshedAt == nil {
			return nil
		}
		if at == nil || f.RefreshedAt.Before(*at) {
			at = f.RefreshedAt
		}
	}
	return at
}
