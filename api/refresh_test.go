package api_test

import (
	"context"

	"ganeticache/api"
	"ganeticache/updater"
)

// refreshWith refreshes through the engine itself.
func refreshWith(r *rig) func(context.Context, string) (api.Refresh, error) {
	return func(ctx context.Context, name string) (api.Refresh, error) {
		res, err := r.u.Refresh(ctx, name, updater.RefreshOptions{Kinds: kinds()})
		if err != nil {
			return api.Refresh{}, err
		}
		out := api.Refresh{Cluster: name, OK: res.Err() == nil, StartedAt: res.StartedAt, Kinds: []api.RefreshKind{}}
		for _, k := range res.Kinds {
			out.Kinds = append(out.Kinds, api.RefreshKind{Kind: string(k.Kind), OK: k.Err == nil, Objects: k.Objects})
		}
		return out, nil
	}
}
