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

// twinOf is a query for the names of the rows that a row c of clusters gives way to once both have their uuid: of two names,
// the one that was there first is kept. It is also an answer for each row of before there was this rule.
const twinOf = `SELECT twin.name FROM clusters twin
WHERE twin.uuid = c.uuid AND c.uuid <> '' AND twin.id < c.id AND twin.enabled AND NOT c.allow_duplicate`

// hasCached says of a row twin that something of it is still shown.
func hasCached() string {
	var shown []string
	for _, k := range kindTables() {
		if k.kind != KindJob {
			shown = append(shown, "EXISTS (SELECT 1 FROM "+k.name+" o WHERE o.cluster_id = twin.id AND o.deleted_at IS NULL)")
		}
	}
	return "(" + strings.Join(shown, " OR ") + ")"
}

// twinQuery finds the row to which a cluster gives way whose answer has a uuid. One whose uuid is not on record yet has
// nothing to lose, and gives way to each that has it: also to one that is frozen, as long as its rows would be there twice.
// The arguments are the uuid, the row's id, whether its uuid is on record, and the id.
func twinQuery(d *dialect) string {
	return `SELECT twin.name, twin.enabled FROM clusters twin
WHERE twin.uuid = ? AND twin.id <> ?
  AND CASE WHEN ` + d.cast("?", "boolean") + " THEN twin.enabled AND twin.id < " + d.cast("?", "bigint") + " ELSE twin.enabled OR " + hasCached() + ` END
ORDER BY twin.enabled DESC, twin.id LIMIT 1`
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
	if err := s.read(ctx, &found, twinQuery(s.d), cleanText(uuid), c.ID, c.UUID != "", c.ID); err != nil {
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

// refuseTwin checks the locked row of a cluster against the uuid that has come.
func refuseTwin(ctx context.Context, x *txn, row *Cluster, uuid string) error {
	if row.AllowDuplicate {
		return nil
	}
	var found []twin
	if err := x.all(ctx, &found, twinQuery(x.d), cleanText(uuid), row.ID, row.UUID != "", row.ID); err != nil {
		return fmt.Errorf("looking for other names of the cluster: %w", err)
	}
	return duplicate(found, row.Name, uuid)
}
