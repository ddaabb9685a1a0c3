package main

import (
	"path/filepath"
	"slices"
)

// build makes the systems that are chosen and fit the shape.
func (r *rig) build() error {
	for _, newEntry := range []func() (entry, error){
		r.floor, r.cold, r.coldChanges, r.onPostgres, r.onSQLite,
	} {
		e, err := newEntry()
		if err != nil {
			return err
		}
		if slices.Contains(r.systems, e.key) && (!e.alone || r.world.shape.clusters == 1) {
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
