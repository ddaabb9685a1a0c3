package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"ganeticache/api"
	"ganeticache/db"
	"ganeticache/updater"
)

// apiCache is what the API shows: the store, and the reader for what may have to be refreshed first.
type apiCache struct {
	*db.Store
	reader *updater.Reader
}

var _ api.Cache = apiCache{}

// options turns the API's wish into the reader's.
func options(r api.Read) []updater.ReadOption {
	var o []updater.ReadOption
	if r.MaxAge != nil {
		o = append(o, updater.MaxAge(*r.MaxAge))
	}
	if r.CacheOnly {
		o = append(o, updater.CacheOnly())
	}
	if r.MustBeFresh {
		o = append(o, updater.MustBeFresh())
	}
	return o
}

// cached passes a value on with its age, and sorts the errors.
func cached[T any](r api.Read, c updater.Cached[T], err error) (api.Cached[T], error) {
	out := api.Cached[T]{Value: c.Value, RefreshedAt: c.RefreshedAt, Age: c.Age, Err: refreshError(c.Err)}
	for _, e := range c.Errors {
		one := api.ClusterError{Cluster: e.Cluster, RefreshedAt: e.RefreshedAt, Err: refreshError(e.Err)}
		if e.RefreshedAt != nil {
			one.Age = max(0, time.Since(*e.RefreshedAt))
		}
		out.Errors = append(out.Errors, one)
	}
	return out, readError(r, err)
}

// refreshError is the trouble with Ganeti that is told beside old rows.
func refreshError(err error) error {
	if err == nil {
		return nil
	}
	return &api.RefreshError{Reason: updater.Reason(err), Err: err}
}

// readError leaves the errors that the API knows as they are. A caller that insisted on fresh data is told of trouble with
// Ganeti by the error; whoever did not only meets faults of ours.
func readError(r api.Read, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*db.AmbiguousError](err); ok {
		return err
	}
	for _, known := range []error{db.ErrNotFound, db.ErrBadFilter, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return err
		}
	}
	if errors.Is(err, db.ErrDisabled) {
		return errors.Join(api.ErrFrozen, err)
	}
	if r.MustBeFresh && !strings.HasPrefix(updater.Reason(err), "database") {
		return refreshError(err)
	}
	return err
}

func (c apiCache) VMs(ctx context.Context, f db.VMFilter, r api.Read) (api.Cached[db.Page[db.VMView]], error) {
	v, err := c.reader.VMs(ctx, f, options(r)...)
	return cached(r, v, err)
}

func (c apiCache) VM(ctx context.Context, ref db.VMRef, p *db.Permitted, r api.Read) (api.Cached[db.VMView], error) {
	v, err := c.reader.VM(ctx, ref, p, options(r)...)
	return cached(r, v, err)
}

func (c apiCache) Nodes(ctx context.Context, f db.NodeFilter, r api.Read) (api.Cached[db.Page[db.NodeView]], error) {
	v, err := c.reader.Nodes(ctx, f, options(r)...)
	return cached(r, v, err)
}

func (c apiCache) Node(ctx context.Context, ref db.ObjectRef, r api.Read) (api.Cached[db.NodeView], error) {
	v, err := c.reader.Node(ctx, ref, options(r)...)
	return cached(r, v, err)
}

func (c apiCache) Groups(ctx context.Context, f db.GroupFilter, r api.Read) (api.Cached[db.Page[db.GroupView]], error) {
	v, err := c.reader.Groups(ctx, f, options(r)...)
	return cached(r, v, err)
}

func (c apiCache) Group(ctx context.Context, ref db.ObjectRef, r api.Read) (api.Cached[db.GroupView], error) {
	v, err := c.reader.Group(ctx, ref, options(r)...)
	return cached(r, v, err)
}

func (c apiCache) Networks(ctx context.Context, f db.NetworkFilter, r api.Read) (api.Cached[db.Page[db.NetworkView]], error) {
	v, err := c.reader.Networks(ctx, f, options(r)...)
	return cached(r, v, err)
}

func (c apiCache) Network(ctx context.Context, ref db.ObjectRef, r api.Read) (api.Cached[db.NetworkView], error) {
	v, err := c.reader.Network(ctx, ref, options(r)...)
	return cached(r, v, err)
}

func (c apiCache) Cluster(ctx context.Context, name string, r api.Read) (api.Cached[db.Cluster], error) {
	v, err := c.reader.Cluster(ctx, name, options(r)...)
	return cached(r, v, err)
}

func (c apiCache) RefreshCluster(ctx context.Context, name string) (api.Refresh, error) {
	res, err := c.reader.RefreshCluster(ctx, name)
	switch {
	case errors.Is(err, updater.ErrUnknownCluster):
		// It is known to the database, or the API would not have asked: it has left the configuration.
		return api.Refresh{}, errors.Join(api.ErrFrozen, err)
	case err != nil:
		return api.Refresh{}, readError(api.Read{MustBeFresh: true}, err)
	}
	out := api.Refresh{
		Cluster: name, OK: true, StartedAt: res.StartedAt, DurationSeconds: res.Duration.Seconds(),
		Kinds: []api.RefreshKind{},
	}
	if err := res.Err(); err != nil {
		out.OK, out.Error, out.Reason = false, err.Error(), updater.Reason(err)
	}
	for _, k := range res.Kinds {
		o := api.RefreshKind{
			Kind: string(k.Kind), OK: k.Err == nil, Objects: k.Objects, Created: k.Outcome.Created, Updated: k.Outcome.Updated,
			Renamed: k.Outcome.Renamed, Removed: k.Outcome.Removed, Restored: k.Outcome.Restored, Quarantined: k.Outcome.Quarantined,
		}
		if k.Err != nil {
			o.Error, o.Reason = k.Err.Error(), updater.Reason(k.Err)
		}
		out.Kinds = append(out.Kinds, o)
	}
	return out, nil
}
