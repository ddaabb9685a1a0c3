package db

import "errors"

// Errors that callers branch on with errors.Is.
var (
	// ErrConflict means that the record is not the one the snapshot was compared with (another process wrote, or a
	// newer snapshot was applied). Nothing was written; reload the fingerprints and compare again.
	ErrConflict = errors.New("the record changed since it was read")
	// ErrOtherCluster means that the answer carries another cluster's uuid than the one on record.
	ErrOtherCluster = errors.New("another Ganeti cluster answers at this address")
	// ErrDisabled means that the cluster is disabled: its rows are frozen.
	ErrDisabled = errors.New("the cluster is disabled, its rows are frozen")
	// ErrLeaseLost means that another replica has taken over the cluster, or will: nothing was written.
	ErrLeaseLost = errors.New("the lease of the cluster has gone to another updater")
	// ErrNotFound means that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrSchemaMissing means that the database has no schema yet.
	ErrSchemaMissing = errors.New("the database has no schema; run `updater schema apply`")
	// ErrSchemaOld means that migrations are pending.
	ErrSchemaOld = errors.New("the schema of the database is older than this program; run `updater schema apply`")
	// ErrSchemaNewer means that a newer program migrated the database.
	ErrSchemaNewer = errors.New("the schema of the database is newer than this program; use the newer updater, " +
		"or restore the back-up that was made before the upgrade")
	// ErrEncoding means that the database is not in UTF-8: one letter that its encoding lacks would stop a cluster.
	ErrEncoding = errors.New("one letter that it lacks would stop a cluster; create a database in UTF8 " +
		"(createdb --template=template0 --encoding=UTF8 --locale=C NAME), move what is in this one with `updater db copy`, " +
		"and name the new one in database_url")
	// ErrCommitUnknown means that the connection was lost while committing: the transaction is in the database, or it is
	// not. Read what is on record before doing it again.
	ErrCommitUnknown = errors.New("whether the transaction was committed is unknown")
	// ErrNotEmpty means that a database that rows should be copied into has some already.
	ErrNotEmpty = errors.New("the database to copy into is not empty; name a new one, or drop this one and create it again")
	// ErrRefreshed means that an updater refreshes the database while it should keep still.
	ErrRefreshed = errors.New("an updater is running on this database; stop all of them (or wait for the lease time, if one was killed)")

	// errRollback ends a transaction without writing and without being an error for the caller.
	errRollback = errors.New("rolling back on purpose")
)
