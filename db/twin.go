package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrDuplicateCluster means that a Ganeti cluster is cached under another name already; see [DuplicateError].
var ErrDuplicateCluster = errors.New("the Ganeti cluster is cached under another name already")

// DuplicateError says that the cluster Name is the same Ganeti cluster as the one that is cached as Twin.
type DuplicateError struct {
	Name, Twin, UUID string
	// Frozen says that the twin is not refreshed any more, and that its rows are still there.
	Frozen bool
}

// Error implements error.
func (e *DuplicateError) Error() string {
	text := fmt.Sprintf("this Ganeti cluster (uuid %.64q) is cached as cluster %q already; nothing is stored of it as %q. ", e.UUID, e.Twin, e.Name)
	if e.Frozen {
		text += fmt.Sprintf("%[1]s is not refreshed any more, but its rows are still there: give them the new name with "+
			"`updater clusters rename %[1]s %[2]s`, or delete them with `updater clusters remove %[1]s --purge`. ", e.Twin, e.Name)
	} else {
		text += fmt.Sprintf("Keep one of the two names: take %[2]s away, or give %[1]s that name, with all its rows, by "+
			"`updater clusters rename %[1]s %[2]s`. ", e.Twin, e.Name)
	}
	return text + fmt.Sprintf("If they are two clusters that share a uuid, such as a restored copy, allow it for %s with allow_duplicate: true "+
		"(kept in the database: `updater clusters set %[1]s --allow-duplicate`)", e.Name)
}

// Is makes every DuplicateError an [ErrDuplicateCluster].
func (e *DuplicateError) Is(target error) bool { return target == ErrDuplicateCluster }

// hasCached says of a row of clusters that something of it is still shown.
func hasCached(row string) string {
	var shown []string
	for _, k := range kindTables() {
		if k.kind != KindJob {
			shown = append(shown, "EXISTS (SELECT 1 FROM "+k.name+" o WHERE o.cluster_id = "+row+".id AND o.deleted_at IS NULL)")
		}
	}
	return "(" + strings.Join(shown, " OR ") + ")"
}

// giveWay is a condition: a row c of clusters gives way to a row twin when its answer has this uuid. Where both have it on
// record, the one that has objects is kept; of two that have some, or none, the one that was there first, while it is
// refreshed. This is also an answer for rows of before there was the rule. Where c has no uuid on record it has nothing to
// lose, and gives way to each that has it: also to one that is frozen, as long as its objects would be there twice.
func giveWay(uuid string) string {
	return "twin.uuid = " + uuid + ` AND twin.uuid <> '' AND twin.id <> c.id AND NOT c.allow_duplicate
  AND CASE WHEN c.uuid = '' THEN twin.enabled OR ` + hasCached("twin") + `
           WHEN ` + hasCached("twin") + " = " + hasCached("c") + ` THEN twin.enabled AND twin.id < c.id
           ELSE ` + hasCached("twin") + ` END`
}

// hasTwins is a condition: there are other rows of a row c's uuid, so that giveWay has to be looked at.
const hasTwins = `EXISTS (SELECT 1 FROM clusters twin WHERE twin.uuid = c.uuid AND c.uuid <> '' AND twin.id <> c.id AND NOT c.allow_duplicate)`

// twinQuery finds the row to which a cluster gives way. The arguments are its id, the uuid on record, and the one that came.
func twinQuery(d *dialect) string {
	return "WITH c AS (SELECT " + d.cast("?", "bigint") + " AS id, " + d.cast("?", "text") + ` AS uuid, false AS allow_duplicate)
SELECT twin.name, twin.enabled FROM c CROSS JOIN clusters twin
WHERE ` + giveWay("?") + `
ORDER BY twin.enabled DESC, twin.id LIMIT 1`
}

// lockTwins waits for whoever stores objects of a row with this uuid, and keeps them from it until the transaction ends: what
// they are about to commit would not be seen. New rows of objects, and of freshness, lock the row of their cluster.
func lockTwins(ctx context.Context, x *txn, id int64, uuid string) error {
	if x.d.forUpdate == "" {
		return nil
	}
	var ids []int64
	if err := x.all(ctx, &ids, "SELECT id FROM clusters WHERE uuid = ? AND id <> ? ORDER BY id"+x.d.forUpdate, uuid, id); err != nil {
		return fmt.Errorf("waiting for other names of the cluster: %w", err)
	}
	for _, twin := range ids {
		if _, err := x.exec(ctx, "SELECT 1 FROM freshness WHERE cluster_id = ? ORDER BY kind"+x.d.forUpdate, twin); err != nil {
			return fmt.Errorf("waiting for another name of the cluster: %w", err)
		}
	}
	return nil
}

// twin is a row that twinQuery found.
type twin struct {
	Name    string `db:"name"`
	Enabled bool   `db:"enabled"`
}

// duplicate makes the error of what twinQuery found; nil when it found nothing.
func duplicate(found []twin, name, uuid string) error {
	if len(found) == 0 {
		return nil
	}
	return &DuplicateError{Name: name, Twin: found[0].Name, UUID: uuid, Frozen: !found[0].Enabled}
}

// Twin says whether a cluster whose answer has this uuid would be refused: a [DuplicateError] then. Of a cluster that has no
// row yet, c has the name and nothing else. It writes nothing, and another process may be first all the same; what is decided
// in the end is what [Store.ApplyInfo] says.
func (s *Store) Twin(ctx context.Context, c Cluster, uuid string) error {
	if c.AllowDuplicate {
		return nil
	}
	var found []twin
	if err := s.read(ctx, &found, twinQuery(s.d), c.ID, c.UUID, cleanText(uuid)); err != nil {
		return fmt.Errorf("looking for other names of cluster %s: %w", c.Name, err)
	}
	return duplicate(found, c.Name, uuid)
}

// lockNames waits for whoever gives a row its uuid, adds a row or renames one, until the transaction ends: two names of one
// Ganeti cluster may be asked for the first time at the same moment, and neither would see the other's uuid.
func lockNames(ctx context.Context, x *txn) error {
	_, err := x.exec(ctx, `INSERT INTO cluster_revision (revision) VALUES (0)
ON CONFLICT (only_row) DO UPDATE SET revision = cluster_revision.revision`)
	if err != nil {
		return fmt.Errorf("waiting for the names of the clusters: %w", err)
	}
	return nil
}

// refuseTwin checks the row of a cluster against the uuid that has come.
func refuseTwin(ctx context.Context, x *txn, row *Cluster, uuid string) error {
	if row.AllowDuplicate {
		return nil
	}
	uuid = cleanText(uuid)
	if err := lockTwins(ctx, x, row.ID, uuid); err != nil {
		return err
	}
	var found []twin
	if err := x.all(ctx, &found, twinQuery(x.d), row.ID, row.UUID, uuid); err != nil {
		return fmt.Errorf("looking for other names of the cluster: %w", err)
	}
	return duplicate(found, row.Name, uuid)
}
