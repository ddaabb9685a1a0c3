package db_test

import (
	"context"
	"crypto/sha256"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

var sqlBlock = regexp.MustCompile("(?s)\n```sql ?([a-z]*)\n(.*?)\n```\n")

// docsBlocks returns the statements of docs/sql.md that are written for a database: those marked with its name, and
// those without a mark.
func docsBlocks(tb testing.TB, dialect string) []string {
	tb.Helper()
	text := string(must(os.ReadFile("../docs/sql.md"))(tb))
	var blocks []string
	for _, match := range sqlBlock.FindAllStringSubmatch(text, -1) {
		switch match[1] {
		case dialect, "":
			blocks = append(blocks, match[2])
		case "postgres", "sqlite":
		default:
			tb.Errorf("a block is marked %q", match[1])
		}
	}
	if len(blocks) < 12 || strings.Count(text, "```sql") != len(sqlBlock.FindAllString(text, -1)) {
		tb.Fatalf("%d blocks were found", len(blocks))
	}
	return blocks
}

// Every statement of docs/sql.md runs on the database it is written for, and finds what it is meant to find.
func TestDocsSQL(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		docsFixture(t, s)
		for _, block := range docsBlocks(t, s.Dialect()) {
			if !strings.HasPrefix(block, "SELECT") {
				continue // TestDocsSQL_Role
			}
			if n := countRows(t, s.DB(), block); n == 0 {
				t.Errorf("nothing was found by\n%s", block)
			}
		}
	})
}

// countRows runs a query that means the day of UTC.
func countRows(t *testing.T, pool *sqlx.DB, query string) int {
	t.Helper()
	tx := must(pool.BeginTxx(t.Context(), nil))(t)
	defer tx.Rollback()
	if tx.DriverName() == "postgres" {
		tx.MustExec("SET LOCAL TIME ZONE 'UTC'")
	}
	var n int
	query = "SELECT count(*) FROM (" + strings.TrimSuffix(query, ";") + ") AS found"
	if err := tx.GetContext(t.Context(), &n, query); err != nil {
		t.Errorf("%v\n%s", err, query)
		return -1
	}
	return n
}

// The role of docs/sql.md reads what it is meant to read, and neither a sealed password nor writes anything.
func TestDocsSQL_Role(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	docsFixture(t, s)
	blocks := docsBlocks(t, "postgres")
	i := slices.IndexFunc(blocks, func(b string) bool { return strings.Contains(b, "CREATE ROLE") })
	if i < 0 {
		t.Fatal("there is no role")
	}
	// A role belongs to the whole server: it goes with the transaction.
	tx := must(s.Writer().BeginTxx(t.Context(), nil))(t)
	defer tx.Rollback()
	tx.MustExec(blocks[i])
	tx.MustExec("SET LOCAL ROLE ganeti_reader")
	for _, table := range []string{"vms", "cluster_status", "cluster_usage", "virtual_machines", "permissions", "changes"} {
		var n int
		if err := tx.GetContext(t.Context(), &n, "SELECT count(*) FROM "+table); err != nil || n == 0 {
			t.Errorf("%d rows of %s: %v", n, table, err)
		}
	}
	for _, statement := range []string{
		"SELECT password_sealed FROM clusters", "SELECT * FROM clusters", "DELETE FROM permissions",
		"INSERT INTO permissions (subject, permission, cluster_id) VALUES ('mallory', 'admin', 1)",
		"UPDATE clusters SET rapi_url = 'https://mallory'",
	} {
		tx.MustExec("SAVEPOINT s")
		_, err := tx.ExecContext(t.Context(), statement)
		if pq.As(err, pqerror.InsufficientPrivilege) == nil {
			t.Errorf("%s: got %v, want that it is not permitted", statement, err)
		}
		tx.MustExec("ROLLBACK TO s")
	}
}

// docsFixture is a small site in which every query of the document finds something.
func docsFixture(t *testing.T, s *db.Store) {
	t.Helper()
	ctx := t.Context()
	prod := must(s.SyncClusters(ctx, []db.ClusterSettings{{Name: "prod", RAPIHost: "rapi", RAPIPort: 5080}}))(t)[0]
	web := func(node string) db.Row {
		v := &db.VM{
			Status: "ERROR_down", AdminState: "up", OperState: new(false), PrimaryNode: node, MemoryMiB: new(int64(2048)),
			VCPUs: new(int64(2)), DiskMiB: new(int64(10)), NICIPs: db.List{"192.0.2.10", ""}, Tags: db.List{"owner:alice", "x"},
		}
		v.UUID, v.Name, v.Info = "u1", "web.example.org", db.JSON(`{"hvparams": {"boot_order": "network,disk"}, "n": "`+node+`"}`)
		return v
	}
	node := &db.Node{
		Role: "M", Offline: new(false), Drained: new(false), VMCapable: new(true), MemoryTotalMiB: new(int64(65536)),
		MemoryFreeMiB: new(int64(32768)), CPUs: new(int64(8)), PrimaryIP: "192.0.2.10",
	}
	node.UUID, node.Name, node.Info = "n1", "node1", db.JSON(`{}`)
	long := time.Now().Add(-time.Hour)
	docsApply(ctx, t, s, prod.ID, db.KindVM, long, web("node2"))
	docsApply(ctx, t, s, prod.ID, db.KindVM, long.Add(time.Minute), web("node1"))
	docsApply(ctx, t, s, prod.ID, db.KindNode, long, node)
	for _, g := range []db.Grant{
		{Subject: "alice", Permission: "console", Cluster: "prod", VM: "u1"}, {Subject: "group:web", Permission: "console", Cluster: "prod"},
	} {
		must(s.Grant(ctx, g))(t)
	}
	if err := s.AddCluster(ctx, db.StoredCluster{Name: "kept", RAPIURL: "https://kept", PasswordSealed: "sealed"}, nil); err != nil {
		t.Fatal(err)
	}
	// Last night is a matter of the clock.
	night := time.Now().UTC().Truncate(24 * time.Hour).Add(time.Hour)
	if _, err := s.Writer().ExecContext(ctx, s.Writer().Rebind("UPDATE changes SET observed_at = ?"), night); err != nil {
		t.Fatal(err)
	}
}

func docsApply(ctx context.Context, t *testing.T, s *db.Store, clusterID int64, k db.Kind, at time.Time, row db.Row) {
	t.Helper()
	sum := sha256.Sum256(row.Base().Info)
	record := must(s.Fingerprints(ctx, clusterID, k))(t)
	_, err := s.Apply(ctx, db.Snapshot{
		ClusterID: clusterID, Kind: k, StartedAt: at, Objects: 1, Generation: record.Generation,
		Changed: func(yield func(db.Item) bool) {
			yield(db.Item{Row: row, Key: row.Base().UUID, Name: row.Base().Name, Digest: [16]byte(sum[:16]), Raw: row.Base().Info})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}
