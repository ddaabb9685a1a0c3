package updater

import (
	"cmp"
	"context"
	"fmt"

	"go.uber.org/zap"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// Reload replaces the set of clusters: new ones are added, changed ones changed, those no longer listed are no longer
// refreshed and their rows stay. A refresh that is under way finishes with the settings it began with. When the store
// does not take the new set, nothing changes and its error is returned.
func (u *Updater) Reload(ctx context.Context, clusters []Cluster) error {
	rows, err := u.sync(ctx, clusters, nil)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	next := make(map[string]*target, len(clusters))
	u.order = u.order[:0]
	for _, c := range clusters {
		next[c.Name] = newTarget(c, rows[c.Name])
		u.order = append(u.order, c.Name)
		if row := rows[c.Name]; row.Listed != "" {
			u.log.Warn("the cluster has another name in the database; change it in the configuration, too",
				zap.String("cluster", c.Name), zap.String("renamed_to", row.Name))
		}
	}
	for name, old := range u.heirs(next) {
		// The lock moves over, so that old and new settings never ask the same cluster side by side. What the old
		// one remembers stays behind: its generation may be the same while the cluster behind the address is not.
		t := next[name]
		t.busy, t.outage = old.busy, old.outage
		t.failed.Store(old.failed.Load())
	}
	for name := range u.targets {
		if _, ok := next[name]; !ok {
			u.metrics.forget(name)
			continue
		}
		u.metrics.forgetKinds(name, next[name].plan)
	}
	u.targets = next
	signal(u.reloaded)
	return nil
}

func newTarget(c Cluster, row db.Cluster) *target {
	t := &target{
		cluster: c, plan: newPlan(c), id: row.ID, rowName: row.Name, row: row, unknownAt: unknownAddress(c, &row), configured: c.Settings,
		busy: make(chan struct{}, 1), outage: &outage{},
		digests: ganeti.NewHasher(uint64(row.DigestSeed)), //nolint:gosec // G115: all 64 bits are wanted
		known:   map[db.Kind]remembered[*ganeti.Index]{}, corrected: map[db.Kind]int{},
	}
	t.cluster.Settings = t.settings
	t.serving.Store(&ganeti.Address{Host: row.RAPIHost, Port: row.RAPIPort})
	return t
}

// heirs gives, by the names of the next targets, the targets whose places those take: the one of the same row, whatever
// its name was, else that of the same name. The lock must be held.
func (u *Updater) heirs(next map[string]*target) map[string]*target {
	byID := make(map[int64]*target, len(u.targets))
	for _, old := range u.targets {
		byID[old.id] = old
	}
	heirs, taken := make(map[string]*target, len(next)), make(map[*target]bool, len(next))
	for name, t := range next {
		if old := byID[t.id]; old != nil && t.id != 0 {
			heirs[name], taken[old] = old, true
		}
	}
	for name := range next {
		if old := u.targets[name]; old != nil && heirs[name] == nil && !taken[old] {
			heirs[name] = old
		}
	}
	return heirs
}

// Renamed gives the clusters that have another name in the database than in the configuration, with the name there.
func (u *Updater) Renamed() map[string]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	renamed := map[string]string{}
	for name, t := range u.targets {
		if t.id != 0 && t.rowName != name {
			renamed[name] = t.rowName
		}
	}
	return renamed
}

// sync records the clusters' settings in the store and gives their rows by name. A cluster whose password cannot be read
// is recorded without a credentials hash: its refreshes will say why they fail, and no other cluster suffers.
//
// ids has the rows by name where they are known: a row that was renamed meanwhile is still that of its cluster.
func (u *Updater) sync(ctx context.Context, clusters []Cluster, ids map[string]int64) (map[string]db.Cluster, error) {
	rows, err := u.record(ctx, clusters, ids)
	if err != nil {
		return nil, fmt.Errorf("recording %d clusters: %w", len(clusters), err)
	}
	byName := make(map[string]db.Cluster, len(rows))
	hashes := make([]string, 0, len(rows))
	for _, r := range rows {
		byName[cmp.Or(r.Listed, r.Name)] = r
		hashes = append(hashes, r.CredentialsHash)
	}
	if u.opts.Retain != nil {
		u.opts.Retain(hashes)
	}
	return byName, nil
}

func (u *Updater) record(ctx context.Context, clusters []Cluster, ids map[string]int64) ([]db.Cluster, error) {
	settings := make([]db.ClusterSettings, 0, len(clusters))
	for _, c := range clusters {
		cs := db.ClusterSettings{Name: c.Name, ID: ids[c.Name], Stored: c.Stored, AllowDuplicate: c.AllowDuplicate}
		s, err := c.Settings()
		if addresses, addrErr := s.Addresses(); addrErr == nil {
			cs.RAPIHost, cs.RAPIPort, cs.RAPIUsername = addresses[0].Host, addresses[0].Port, s.Username
			for _, a := range addresses[1:] {
				cs.RAPIOthers = append(cs.RAPIOthers, db.RAPIAddress(a))
			}
		}
		if err == nil {
			if cs.CredentialsHash, err = u.opts.Hash(s); err != nil {
				cs.CredentialsHash = ""
			}
		}
		settings = append(settings, cs)
	}
	if u.opts.DryRun {
		return u.opts.Store.MatchClusters(ctx, settings)
	}
	if u.opts.KeepOthers {
		return u.opts.Store.UpsertClusters(ctx, settings)
	}
	return u.opts.Store.SyncClusters(ctx, settings)
}
