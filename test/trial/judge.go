package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Judge compares the database with the simulated clusters. Only [Judge.Sample] may be called beside its other methods.
type Judge struct {
	db    *sqlx.DB
	world *World
	score *Score
	ids   map[objectKey]int64
	log   ChangeLog
}

// judgeConns is how many connections of a judge stay open.
const judgeConns = 4

// NewJudge makes a judge that reads db, which must not go through a proxy.
func NewJudge(db *sqlx.DB, world *World, score *Score) *Judge {
	return &Judge{db: db, world: world, score: score, ids: map[objectKey]int64{}}
}

// Fresh waits until every kind of every cluster was refreshed, by a request that began after since; what is not in
// time is a loss. It returns how long the last one took. The database may still be coming back; an error is that it did
// not.
func (j *Judge) Fresh(ctx context.Context, since time.Time, clusters []*Cluster, patience time.Duration) (time.Duration, error) {
	want := map[string]bool{}
	for _, c := range clusters {
		for _, kind := range []string{"cluster", "vm", "node", "group", "network"} {
			want[c.Name+" "+kind] = true
		}
	}
	// Connections that the storm broke in the pool would each fail once.
	j.db.SetMaxIdleConns(0)
	j.db.SetMaxIdleConns(judgeConns)
	for {
		late, err := j.late(ctx, since, want)
		took := time.Since(since)
		if err == nil && len(late) == 0 {
			return took, nil
		}
		if took > patience {
			if err != nil {
				return took, err
			}
			for what, why := range late {
				j.score.Losef(NotRecovered, "%s after %s: %s", what, took.Round(time.Second), why)
			}
			return took, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return took, err
		}
	}
}

// late returns what is not as fresh as since, with what the database says about it.
func (j *Judge) late(ctx context.Context, since time.Time, want map[string]bool) (map[string]string, error) {
	var rows []struct {
		What   string `db:"what"`
		Fresh  bool   `db:"fresh"`
		Detail string `db:"detail"`
	}
	err := j.db.SelectContext(ctx, &rows, `
SELECT c.name || ' ' || f.kind AS what, coalesce(f.refreshed_at > $1, FALSE) AS fresh,
       concat('refreshed at ', f.refreshed_at, ', attempted at ', f.attempted_at, ', failures ', f.consecutive_failures,
              ', next due at ', f.next_due_at, ', error: ', f.error) AS detail
FROM freshness f JOIN clusters c ON c.id = f.cluster_id`, since.UTC())
	if err != nil {
		return nil, fmt.Errorf("reading the freshness: %w", err)
	}
	late := map[string]string{}
	for what := range want {
		late[what] = "no row in freshness"
	}
	for _, r := range rows {
		if want[r.What] {
			late[r.What] = r.Detail
		}
		if r.Fresh {
			delete(late, r.What)
		}
	}
	return late, nil
}

// row is a cached row as the judge reads it.
type row struct {
	Cluster  string `db:"cluster"`
	ID       int64  `db:"id"`
	UUID     string `db:"uuid"`
	State    string `db:"state"`
	Volatile string `db:"volatile"`
	Deleted  bool   `db:"deleted"`
	JSON     []byte `db:"json"`
}

// Verify compares everything, while the clusters stand still and were refreshed since: each live row with the cluster,
// each row id with the one it had, each row with its changes, and each removal with the history.
func (j *Judge) Verify(ctx context.Context) error {
	if err := j.readChanges(ctx); err != nil {
		return err
	}
	for _, spec := range kindSpecs() {
		var rows []row
		query := "SELECT c.name AS cluster, v.id, v.uuid, " + spec.state + " AS state, " + spec.volatile + " AS volatile, " +
			"v.deleted_at IS NOT NULL AS deleted, to_jsonb(v) - 'info' AS json FROM " + spec.table + " v JOIN clusters c ON c.id = v.cluster_id"
		if err := j.db.SelectContext(ctx, &rows, query); err != nil {
			return fmt.Errorf("reading %s: %w", spec.table, err)
		}
		j.compareIDs(spec.kind, rows)
		if err := j.compareChanges(spec.kind, rows); err != nil {
			return err
		}
		j.compareRows(spec.kind, rows)
	}
	return nil
}

// compareIDs checks each row against the ledger of ids, and the ledger against the rows: a row that was there stays.
func (j *Judge) compareIDs(kind string, rows []row) {
	there := make(map[objectKey]bool, len(rows))
	for _, r := range rows {
		k := objectKey{r.Cluster, kind, r.UUID}
		there[k] = true
		was, known := j.ids[k]
		if known && was != r.ID {
			j.score.Losef(ChangedIDs, "%s %s in %s was row %d and is row %d", kind, r.UUID, r.Cluster, was, r.ID)
		}
		j.ids[k] = r.ID
	}
	for k, id := range j.ids {
		if k.kind == kind && !there[k] {
			j.score.Losef(WrongRows, "row %d of %s %s in %s is gone", id, kind, k.uuid, k.cluster)
		}
	}
	j.score.Looked("row ids compared with the ledger", len(rows))
}

func (j *Judge) compareChanges(kind string, rows []row) error {
	for _, r := range rows {
		var columns map[string]any
		if err := json.Unmarshal(r.JSON, &columns); err != nil {
			return fmt.Errorf("decoding row %d of kind %s: %w", r.ID, kind, err)
		}
		for _, wrong := range j.log.Check(r.Cluster, kind, r.UUID, !r.Deleted, columns) {
			j.score.Losef(WrongChanges, "%s", wrong)
		}
	}
	return nil
}

// compareRows checks that the live rows are what the clusters have, no more and no less.
func (j *Judge) compareRows(kind string, rows []row) {
	live := map[string]map[string]row{}
	for _, r := range rows {
		if r.Deleted {
			continue
		}
		if live[r.Cluster] == nil {
			live[r.Cluster] = map[string]row{}
		}
		live[r.Cluster][r.UUID] = r
	}
	compared := 0
	for _, c := range j.world.Clusters {
		mine := live[c.Name]
		for _, o := range c.objects(kind) {
			compared++
			r, ok := mine[o.UUID]
			delete(mine, o.UUID)
			switch {
			case !ok:
				j.score.Losef(WrongRows, "%s %s in %s has no live row: %s", kind, o.UUID, c.Name, o.State)
			case r.State != o.State || r.Volatile != o.Volatile:
				j.score.Losef(WrongRows, "%s %s in %s is\n    %s (%s), its row says\n    %s (%s)",
					kind, o.UUID, c.Name, o.State, o.Volatile, r.State, r.Volatile)
			}
		}
		for uuid, r := range mine {
			j.score.Losef(WrongRows, "%s %s in %s does not exist and has a live row: %s", kind, uuid, c.Name, r.State)
		}
	}
	j.score.Looked("rows compared with the clusters", compared)
}

// objects are what the cluster has of a kind right now.
func (c *Cluster) objects(kind string) []Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Object
	for _, o := range truth(c.sim) {
		if o.Kind == kind {
			out = append(out, o)
		}
	}
	return out
}

// held asks the cluster's history; when it is asked, every change until now is in it.
func (c *Cluster) held(kind, uuid, state string, since, until time.Time) (held bool, latest string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.history.Held(kind, uuid, state, since, until), c.history.Latest(kind, uuid)
}
