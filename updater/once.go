package updater

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Once refreshes the named clusters, all of them when names is empty, each in every scheduled kind, whatever is due. It
// returns a result for each in the order of the configuration. The error is [ErrUnknownCluster], before anything is
// done, or that ctx ended; then the results hold what was done until then.
func (u *Updater) Once(ctx context.Context, names []string, progress func(cluster, step string, done, total int)) ([]Result, error) {
	for _, name := range names {
		if _, err := u.target(name); err != nil {
			return nil, err
		}
	}
	chosen := slices.DeleteFunc(u.Names(), func(name string) bool {
		return len(names) > 0 && !slices.Contains(names, name)
	})
	results := make([]Result, len(chosen))
	var g errgroup.Group
	// Refresh bounds the work itself; this bounds the goroutines that wait for it or for clusters that do not answer.
	g.SetLimit(maxWaiting)
	for i, name := range chosen {
		g.Go(func() error {
			o := RefreshOptions{All: true}
			if progress != nil {
				o.Progress = func(step string, done, total int) { progress(name, step, done, total) }
			}
			var err error
			results[i], err = u.Refresh(ctx, name, o)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return results, fmt.Errorf("refreshing %d clusters: %w", len(chosen), err)
	}
	bounded, end := context.WithTimeout(ctx, onceBackfill)
	defer end()
	u.backfill(bounded)
	return results, nil
}
