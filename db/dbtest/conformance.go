package dbtest

import (
	"testing"

	"ganeticache/db"
)

// Conformance runs every behaviour that a store must show, whatever the database: one subtest each, in parallel, each on
// a migrated store of its own that open returns.
func Conformance(t *testing.T, open func(testing.TB, db.Options) *db.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*fixture)
	}{
		{"schema is current and migrating again changes nothing", migrateAgain},
		{"clusters follow the configuration", clustersFollow},
		{"disabled clusters are frozen", disabledFrozen},
		{"the address that serves stays on record", addressThatServes},
		{"info of a cluster", clusterInfo},
		{"another cluster's uuid changes nothing", otherCluster},

		{"objects are created", created},
		{"an equal answer writes nothing", unchanged},
		{"updates list the changed fields", updated},
		{"renames keep the row", renamed},
		{"removed objects are tombstones, returned ones the same row", removedRestored},
		{"volatile columns make no change entry", volatileColumns},
		{"other bytes of the same meaning make no change entry", sameMeaning},
		{"changes outside the columns name the keys", infoKeys},
		{"every kind is stored", everyKind},
		{"permissions stay with the row", permissions},

		{"newer observations win", newerWins},
		{"an older snapshot conflicts", olderConflicts},
		{"the order of requests counts, no clock", ticketsCount},
		{"tickets grow", ticketsGrow},
		{"another generation conflicts", generationConflicts},
		{"a dry run writes nothing and tells all", dryRun},
		{"two clusters with the same uuids do not mix", twoClusters},
		{"a snapshot that breaks off leaves nothing", breaksOff},
		{"racing writers apply one after the other", racing},
		{"changes are seen in the order of their ids", cursor},

		{"the guard withholds removals", guardWithholds},
		{"the guard sees what it needs", guardSees},
		{"differences within info are told beside columns", infoBesideColumns},
		{"tombstones purge after retention", purge},

		{"broken items go to quarantine and back", quarantineLifecycle},
		{"an item without a key withholds removals", keyless},
		{"a quarantined object is not removed", quarantinedStays},
		{"an object that appears twice", twice},
		{"a quarantined object that returns to its old content", oldContentReturns},

		{"touch stamps and writes nothing else", touch},
		{"touch conflicts", touchConflicts},
		{"failures are counted and success clears them", failures},
		{"status shows everything", status},
		{"views", views},

		{"lists, NULLs, unicode and what must be escaped", values},
		{"times are UTC microseconds", times},
		{"many rows", manyRows},
		{"many changes", manyChanges},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, open(t, db.Options{})))
		})
	}
	permissionConformance(t, open)
	storedConformance(t, open)
	namesConformance(t, open)
	observeConformance(t, open)
	replicaConformance(t, open)
}
