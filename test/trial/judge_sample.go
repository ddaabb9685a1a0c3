package trial

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// claimed is a live row and the time as of which the database calls it true.
type claimed struct {
	UUID    string       `db:"uuid"`
	State   string       `db:"state"`
	Claimed sql.NullTime `db:"claimed"`
}

// claims are all rows of a kind of one cluster, read in one transaction with the freshness of the kind. An object
// without a row is called gone as of Refreshed, unless it is in quarantine, where everybody can see it.
type claims struct {
	rows        []claimed
	refreshed   sql.NullTime
	quarantined map[string]bool
}

// Sample reads everything the database says of one cluster, in one transaction, and holds it against the history: each
// row must be what its object was at some moment not before the time as of which it is called true, and an object
// without a row must not have been there at some such moment. While the database is away it is an error, and no sample.
func (j *Judge) Sample(ctx context.Context, c *Cluster) (err error) {
	tx, err := j.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("beginning a sample: %w", err)
	}
	defer func() {
		if endErr := tx.Rollback(); err == nil && endErr != nil {
			err = fmt.Errorf("ending a sample: %w", endErr)
		}
	}()
	read := map[string]claims{}
	for _, spec := range kindSpecs() {
		if read[spec.kind], err = readClaims(ctx, tx, spec, c.Name); err != nil {
			return err
		}
	}
	for kind, claims := range read {
		j.judge(c, kind, claims)
	}
	j.score.Looked("freshness samples (one cluster each)", 1)
	return nil
}

func readClaims(ctx context.Context, tx *sqlx.Tx, spec kindSpec, cluster string) (claims, error) {
	// For VMs it is the view that programs read which makes the claim; for the other kinds what follows from the rule.
	from, claim := "vms v WHERE v.cluster = $1", "v.cached_at"
	if spec.kind != "vm" {
		from = spec.table + " v JOIN clusters c ON c.id = v.cluster_id LEFT JOIN freshness f ON f.cluster_id = v.cluster_id AND f.kind = '" +
			spec.kind + "' WHERE c.name = $1 AND v.deleted_at IS NULL"
		claim = "CASE WHEN EXISTS (SELECT FROM quarantine q WHERE q.cluster_id = v.cluster_id AND q.kind = '" + spec.kind +
			"' AND q.uuid = v.uuid) THEN v.observed_at ELSE greatest(v.observed_at, f.refreshed_at) END"
	}
	var out claims
	err := tx.SelectContext(ctx, &out.rows, "SELECT v.uuid, "+spec.state+" AS state, "+claim+" AS claimed FROM "+from, cluster)
	if err != nil {
		return out, fmt.Errorf("sampling %s: %w", spec.table, err)
	}
	err = tx.GetContext(ctx, &out.refreshed,
		"SELECT f.refreshed_at FROM freshness f JOIN clusters c ON c.id = f.cluster_id WHERE c.name = $1 AND f.kind = $2", cluster, spec.kind)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return out, fmt.Errorf("sampling the freshness of %s: %w", spec.table, err)
	}
	var quarantined []string
	err = tx.SelectContext(ctx, &quarantined,
		"SELECT q.uuid FROM quarantine q JOIN clusters c ON c.id = q.cluster_id WHERE c.name = $1 AND q.kind = $2", cluster, spec.kind)
	if err != nil {
		return out, fmt.Errorf("sampling the quarantine of %s: %w", spec.table, err)
	}
	out.quarantined = make(map[string]bool, len(quarantined))
	for _, uuid := range quarantined {
		out.quarantined[uuid] = true
	}
	return out, nil
}

func (j *Judge) judge(c *Cluster, kind string, said claims) {
	has := make(map[string]bool, len(said.rows))
	for _, r := range said.rows {
		has[r.UUID] = true
		if !r.Claimed.Valid {
			continue
		}
		if held, latest := c.held(kind, r.UUID, r.State, r.Claimed.Time, time.Time{}); !held {
			j.score.Losef(FalseFresh, "%s %s in %s is called true as of %s, but was that no more:\n    row: %s\n    now: %s",
				kind, r.UUID, c.Name, r.Claimed.Time.Format(time.RFC3339Nano), r.State, latest)
		}
	}
	j.score.Looked("rows held against the history", len(said.rows))
	if !said.refreshed.Valid || said.quarantined[""] {
		return
	}
	for _, uuid := range c.existing(kind) {
		if has[uuid] || said.quarantined[uuid] {
			continue
		}
		if gone, latest := c.held(kind, uuid, "", said.refreshed.Time, time.Time{}); !gone {
			j.score.Losef(FalseFresh, "%s %s in %s has no row as of %s, but was there all the time since: %s",
				kind, uuid, c.Name, said.refreshed.Time.Format(time.RFC3339Nano), latest)
		}
	}
}

// existing lists the uuids of a kind that are there now.
func (c *Cluster) existing(kind string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.history.Existing(kind)
}
