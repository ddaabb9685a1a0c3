package main

import (
	"context"
	"path/filepath"
	"slices"
)

// build makes the systems that are chosen and fit the shape.
func (r *rig) build(ctx context.Context) error {
	makers := []func() (entry, error){r.floor, r.cold, r.coldChanges, r.onPostgres, r.onSQLite}
	if r.world.shape.clusters == 1 && slices.ContainsFunc(r.systems, isPeer) {
		python, err := findPython(ctx)
		if err != nil {
			return err
		}
		if err := writeScripts(r.folder); err != nil {
			return err
		}
		for _, e := range peers() {
			makers = append(makers, func() (entry, error) { return r.peer(python, e) })
		}
	}
	for _, newEntry := range makers {
		e, err := newEntry()
		if err != nil {
			return err
		}
		if slices.Contains(r.systems, e.key) {
			r.entries = append(r.entries, e)
		}
	}
	return nil
}

func (r *rig) floor() (entry, error) {
	s, err := newFloor(r.folder, r.world)
	return entry{key: keyFloor, title: "bare download", system: s}, err
}

func (r *rig) cold() (entry, error) {
	s, err := newCold(r.folder, r.world, r.database("cold"), r.dump, false)
	return entry{key: keyCold, title: `download + psql \copy`, system: s, logged: true, always: true, joins: []string{caseFirst, caseAll}}, err
}

func (r *rig) coldChanges() (entry, error) {
	s, err := newCold(r.folder, r.world, r.database("cold_changes"), r.dump, true)
	return entry{
		key: keyColdChanges, title: `download + psql \copy, changes too`, system: s, logged: true, always: true, joins: []string{caseFirst},
	}, err
}

func (r *rig) onPostgres() (entry, error) {
	s, err := newUpdater(r.folder, r.updater, keyPostgres, r.world, r.database("updater"))
	return entry{key: keyPostgres, title: "updater, PostgreSQL", system: s, logged: true}, err
}

func (r *rig) onSQLite() (entry, error) {
	s, err := newUpdater(r.folder, r.updater, keySQLite, r.world, &sqliteStore{filepath.Join(r.folder, "updater.db")})
	return entry{key: keySQLite, title: "updater, SQLite", system: s}, err
}

// database is one of the server's, a copy of the seeded one whenever it is reset.
func (r *rig) database(name string) *postgresStore {
	return &postgresStore{server: r.server, name: name, template: seeded}
}

// peerEntry is a peer before it is made.
type peerEntry struct {
	entry

	database, script string
	args             []string
}

// peers are measured with a single cluster, and the slow ones less often. Those that miss runs are left out of the cases
// that begin where the last run of another one ended.
func peers() []peerEntry {
	gwm := []string{caseFirst, caseUnchanged, caseSome, caseAll}
	return []peerEntry{
		{entry{key: keyValues, title: "Python, execute_values", logged: true}, "peer_values", "values.py", nil},
		{entry{key: keyRows, title: "Python, row by row", logged: true}, "peer_rows", "rows.py", nil},
		{entry{key: keyGWMBulk, title: "Ganeti Web Manager's update", logged: true, joins: gwm, runs: 3}, "gwm_bulk", "gwm.py", []string{"bulk"}},
		{entry{key: keyGWMEach, title: "Ganeti Web Manager's refresh, each VM", logged: true, joins: gwm[:3], runs: 1}, "gwm_each", "gwm.py", []string{"each"}},
	}
}

func isPeer(key string) bool {
	return slices.ContainsFunc(peers(), func(p peerEntry) bool { return p.key == key })
}

func (r *rig) peer(python string, p peerEntry) (entry, error) {
	s, err := newPeer(r.folder, python, p.database, r.world, r.server, p.script, p.args...)
	p.system = s
	return p.entry, err
}
