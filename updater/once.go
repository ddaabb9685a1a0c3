package updater

import (
	"context"
	"fmt"
	"slices"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"ganeticache/db"
)

// Once refreshes the named clusters, all of them when names is empty, each in every scheduled kind, whatever is due. It
// returns a result for each in the order of the configuration. The error is [ErrUnknownCluster], before anything is
// done, or that ctx ended; then the results hold what was done until then.
func (u *Updater) Once(ctx context.Context, names []string, progress func(cluster, step string, done, total int)) ([]Result, error) {
	listed := make(map[string]bool, len(names))
	for _, name := range names {
		t, err := u.target(name)
		if err != nil {
			return nil, err
		}
		listed[t.cluster.Name] = true
	}
	chosen := slices.DeleteFunc(u.Names(), func(name string) bool { return len(names) > 0 && !listed[name] })
	results := make([]Result, len(chosen))
	var g errgroup.Group
	// Refresh bounds the work itself; this bounds the goroutines that wait for it or for clusters that do not answer.
	g.SetLimit(maxWaiting)
	for _, queue := range u.queues(chosen) {
		g.Go(func() error {
			for _, name := range queue {
				o := RefreshOptions{All: true}
				if progress != nil {
					o.Progress = func(step string, done, total int) { progress(name, step, done, total) }
				}
				var err error
				if results[slices.Index(chosen, name)], err = u.Refresh(ctx, name, o); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return results, fmt.Errorf("refreshing %d clusters: %w", len(chosen), err)
	}
	if err := u.markUnreadable(ctx, results); err != nil {
		u.log.Warn("finding out whether answers could be read failed", zap.Error(err))
	}
	for _, r := range results {
		for _, k := range r.Kinds {
			if k.Unreadable != "" {
				u.log.Warn("not one item of an answer can be read", zap.String("cluster", r.Cluster), zap.String("kind", string(k.Kind)),
					zap.Int("items", k.Objects), zap.String("first_reason", k.Unreadable))
			}
		}
	}
	bounded, end := context.WithTimeout(ctx, onceBackfill)
	defer end()
	u.backfill(bounded)
	return results, nil
}

// markUnreadable says of the answers in which nothing new could be read whether anything in them can: an item that was set
// aside before, and came again as it was, is compared and not read. The database knows which those are; it is asked here, once
// for all, and not in the refreshes, where nothing depends on it.
func (u *Updater) markUnreadable(ctx context.Context, results []Result) error {
	var answers []db.Compared
	var kinds []*KindResult
	for i := range results {
		t, err := u.target(results[i].Cluster)
		if err != nil {
			continue // nothing was done
		}
		for j := range results[i].Kinds {
			k := &results[i].Kinds[j]
			if k.Kind == db.KindCluster || k.Err != nil || k.Objects == 0 || k.changed > k.Outcome.Quarantined || k.Unreadable != "" {
				continue
			}
			answers = append(answers, db.Compared{ClusterID: t.id, Kind: k.Kind, Unchanged: k.Objects - k.changed})
			kinds = append(kinds, k)
		}
	}
	if len(answers) == 0 {
		return nil
	}
	reasons, err := u.opts.Store.Unreadable(ctx, answers)
	if err != nil {
		return &storeError{err}
	}
	for i, why := range reasons {
		kinds[i].Unreadable = why
	}
	return nil
}
