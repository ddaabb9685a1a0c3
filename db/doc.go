// Package db keeps the cached copy of Ganeti clusters in PostgreSQL or SQLite.
//
// A [Store] applies snapshots: complete answers of one cluster and one kind of object, compared with what is on record.
// Each snapshot is one transaction: changed rows, tombstones, quarantine, the list of changes, freshness and the
// notification become visible together or not at all. Identity is the Ganeti uuid within the cluster; row ids survive
// renames, removal and return. Nothing is removed because of what a snapshot did not understand.
//
// The package knows nothing of RAPI: it is handed rows, digests and keys. It never logs; every error is returned.
// A Store is safe for concurrent use, by several processes on PostgreSQL as well: the freshness row of a (cluster,
// kind) is the lock, its generation tells a caller that the record it compared with has moved on ([ErrConflict]).
//
// All times are UTC, cut to microseconds.
package db
