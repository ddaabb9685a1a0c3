package trial

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jmoiron/sqlx"
)

// auditSQL writes down every write of freshness that names a lease, with the lease's token at that moment, as the
// database sees it within the writing statement.
const auditSQL = `
CREATE TABLE trial_audit (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster_id BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    written    BIGINT NOT NULL,
    held       BIGINT,
    at         TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION trial_audit() RETURNS TRIGGER LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO trial_audit (cluster_id, kind, written, held)
    VALUES (NEW.cluster_id, NEW.kind, NEW.lease_token, (SELECT token FROM leases WHERE cluster_id = NEW.cluster_id));
    RETURN NULL;
END $$;
CREATE TRIGGER trial_audit_insert AFTER INSERT ON freshness FOR EACH ROW
    WHEN (NEW.lease_token > 0) EXECUTE FUNCTION trial_audit();
CREATE TRIGGER trial_audit_update AFTER UPDATE ON freshness FOR EACH ROW
    WHEN (NEW.lease_token > 0 AND (OLD.lease_token, OLD.attempted_at, OLD.refreshed_at, OLD.snapshot_at, OLD.generation)
          IS DISTINCT FROM (NEW.lease_token, NEW.attempted_at, NEW.refreshed_at, NEW.snapshot_at, NEW.generation))
    EXECUTE FUNCTION trial_audit();
`

// Audit watches the fencing tokens by triggers of its own in the database.
type Audit struct {
	db    *sqlx.DB
	score *Score
	last  int64
}

// NewAudit installs the triggers; the schema must be there.
func NewAudit(ctx context.Context, db *sqlx.DB, score *Score) (*Audit, error) {
	var columns int
	err := db.GetContext(ctx, &columns, `
SELECT count(*) FROM information_schema.columns
WHERE (table_name, column_name) IN (('freshness', 'lease_token'), ('leases', 'token'), ('leases', 'holder'), ('replicas', 'expires_at'))`)
	if err != nil {
		return nil, fmt.Errorf("looking for the columns of leases: %w", err)
	}
	if columns != 4 {
		return nil, errors.New("the schema has no leases with fencing tokens: there is nothing to audit")
	}
	if _, err := db.ExecContext(ctx, auditSQL); err != nil {
		return nil, fmt.Errorf("installing the audit of fencing tokens: %w", err)
	}
	return &Audit{db: db, score: score}, nil
}

// Verify looks at the writes since the last call.
func (a *Audit) Verify(ctx context.Context) error {
	var rows []struct {
		ID      int64  `db:"id"`
		Cluster int64  `db:"cluster_id"`
		Kind    string `db:"kind"`
		Written int64  `db:"written"`
		Held    *int64 `db:"held"`
	}
	err := a.db.SelectContext(ctx, &rows, "SELECT id, cluster_id, kind, written, held FROM trial_audit WHERE id > $1 ORDER BY id", a.last)
	if err != nil {
		return fmt.Errorf("reading the audit of fencing tokens: %w", err)
	}
	for _, r := range rows {
		a.last = r.ID
		if r.Held == nil || *r.Held != r.Written {
			held := "none"
			if r.Held != nil {
				held = strconv.FormatInt(*r.Held, 10)
			}
			a.score.Losef(OldTokens, "a write to %s of cluster %d with token %d, while the lease's was %s", r.Kind, r.Cluster, r.Written, held)
		}
	}
	a.score.Looked("writes audited for their fencing token", len(rows))
	return nil
}

// Spread returns how many clusters each living replica holds.
func (a *Audit) Spread(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		ID    string `db:"id"`
		Leads int    `db:"leads"`
	}
	err := a.db.SelectContext(ctx, &rows, `
SELECT r.id, count(l.cluster_id) AS leads FROM replicas r LEFT JOIN leases l ON l.holder = r.id
WHERE r.expires_at > now() GROUP BY r.id`)
	if err != nil {
		return nil, fmt.Errorf("reading the leases: %w", err)
	}
	spread := make(map[string]int, len(rows))
	for _, r := range rows {
		spread[r.ID] = r.Leads
	}
	return spread, nil
}

// Even says whether so many replicas hold so many clusters, none more than one above another.
func Even(spread map[string]int, replicas, clusters int) bool {
	low, high, sum := clusters, 0, 0
	for _, n := range spread {
		low, high, sum = min(low, n), max(high, n), sum+n
	}
	return len(spread) == replicas && sum == clusters && high-low <= 1
}
