package main

import (
	"context"
	"time"
)

// system is one of those that are measured beside each other: a floor, the updater, a peer.
type system interface {
	// reset ends the process, if there is one, and leaves an empty database.
	reset(ctx context.Context) error
	// start begins a process, in place of the one that runs, and returns when it rests.
	start(ctx context.Context) error
	// round asks all clusters once, and does with the answers what the system does.
	round(ctx context.Context) (cost, error)
	// facts is what the database holds. known is false when the system has no database to look into.
	facts(ctx context.Context) (f facts, known bool, err error)
	// close ends the process.
	close() error
}

// cost is what one round took.
type cost struct {
	wall, cpu time.Duration
	// peak is memory above that of the idle process, in bytes.
	peak int64
	// rows were written, and wal bytes of PostgreSQL's log; -1 where there is no such thing.
	rows, wal int64
}

// entry is a system with what the plan must know of it.
type entry struct {
	// key is how -systems names it; title how the tables do.
	key, title string
	system
	// always begins each round with a new process and an empty database, whatever the case.
	always bool
	// logged says that it writes to PostgreSQL.
	logged bool
	// joins are the cases in which it is measured; nil means all.
	joins []string
	// runs is the most rounds it is measured in each case; 0 means all.
	runs int
}

// The systems' keys.
const (
	keyFloor       = "floor"
	keyCold        = "cold"
	keyColdChanges = "cold-changes"
	keyPostgres    = "updater-pg"
	keySQLite      = "updater-sqlite"
	keyValues      = "peer-values"
	keyRows        = "peer-rows"
	keyGWMBulk     = "gwm-bulk"
	keyGWMEach     = "gwm-each"
)
