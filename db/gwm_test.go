package db_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// gwmSQL is a file of deploy/coming-from-gwm, which docs/coming-from-gwm.md has the reader run.
func gwmSQL(t *testing.T, name string) string {
	t.Helper()
	return string(must(os.ReadFile("../deploy/coming-from-gwm/" + name))(t))
}

// The permissions of Ganeti Web Manager arrive by host name, and whatever cannot is reported. Its tables stand beside
// ours here, so that the export runs on both databases too.
func TestGWM_Permissions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		gwmSite(t, s)
		conn := must(s.Writer().Connx(t.Context()))(t)
		defer conn.Close()
		gwmExec(t, conn, string(must(os.ReadFile("testdata/gwm.sql"))(t)))

		rows := gwmExport(t, conn, gwmSQL(t, "export.sql"))
		gwmExec(t, conn, gwmSQL(t, "stage.sql"))
		for _, row := range rows {
			if _, err := conn.ExecContext(t.Context(), conn.Rebind(
				"INSERT INTO gwm_permissions VALUES (?, ?, ?, ?, ?, ?, ?)",
			), row.Kind, row.Holder, row.Active, row.Permission, row.Cluster, row.Slug, row.VM); err != nil {
				t.Fatal(err)
			}
		}
		gwmExec(t, conn, "INSERT INTO gwm_clusters VALUES ('OLD.example.org', 'lab')")
		gwmExec(t, conn, gwmSQL(t, "carry.sql"))

		if diff := cmp.Diff(gwmGrants, gwmGranted(t, s)); diff != "" {
			t.Errorf("grants (-want +got):\n%s", diff)
		}
		report := gwmStatements(gwmSQL(t, "carry.sql"))
		if diff := cmp.Diff(gwmReport, gwmReported(t, conn, report[len(report)-1])); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	})
}

// Every permission of testdata/gwm.sql is in one of these two.
var gwmGrants, gwmReport = []string{
	`EXAMPLE\bob modify prod/db.example.org`,
	`EXAMPLE\bob power lab/test.example.org`,
	`EXAMPLE\bob remove prod/db.example.org`,
	`EXAMPLE\bob tags prod/db.example.org`,
	`alice admin lab/`,
	`alice admin prod/Web.example.org`,
	`alice owner prod/Web.example.org`,
	`alice power prod/Web.example.org`,
	`group:db, "night" shift power prod/db.example.org`,
	`group:web cluster_tags prod/`,
	`group:web create_vm prod/`,
	`group:web migrate prod/`,
	`group:web owner prod/db.example.org`,
	`group:web power prod/Web.example.org`,
}, []string{
	"a superuser: grant what that shall mean here|root|superuser|||",
	"no VM of this name in the cluster|alice|admin|rapi.example.org|gone.example.org|",
	"no VM of this name in the cluster|alice|owner|rapi.example.org|gone.example.org|",
	"no VM of this name in the cluster|alice|power|rapi.example.org|moved.example.org|lab",
	"several VMs of this name in the cluster|alice|power|rapi.example.org|twin.example.org|prod",
	`several clusters match: name one in gwm_clusters|EXAMPLE\bob|power|twice.example.org|web.example.org|prod`,
	"the owner is neither a user nor a group|neither|owner|rapi.example.org|twin.example.org|prod",
	"the user may not log in|left|admin|rapi.example.org|web.example.org|prod",
	"the user may not log in|left|owner|old.example.org|test.example.org|lab",
}

// In versions 0.7 to 0.10 the same tables have other names; the document's line makes the export for them.
func TestGWM_OlderTables(t *testing.T) {
	t.Parallel()
	document := string(must(os.ReadFile("../docs/coming-from-gwm.md"))(t))
	_, line, found := strings.Cut(document, "\nsed '")
	script, _, ended := strings.Cut(line, "'")
	if !found || !ended {
		t.Fatal("docs/coming-from-gwm.md has no line that begins with sed '")
	}
	var names []string
	for rule := range strings.SplitSeq(script, "; ") {
		parts := strings.Split(strings.TrimSpace(rule), "/")
		if len(parts) != 4 || parts[0] != "s" || parts[3] != "g" {
			t.Fatalf("%q is no replacement of a name", rule)
		}
		names = append(names, parts[1], parts[2])
	}
	older := strings.NewReplacer(names...)
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		conn := must(s.Writer().Connx(t.Context()))(t)
		defer conn.Close()
		gwmExec(t, conn, older.Replace(string(must(os.ReadFile("testdata/gwm.sql"))(t))))
		for _, table := range []string{
			"ganeti_web_cluster", "ganeti_web_virtualmachine", "ganeti_web_clusteruser", "ganeti_web_profile", "ganeti_web_organization",
		} {
			gwmExec(t, conn, "SELECT 1 FROM "+table)
		}
		if rows := gwmExport(t, conn, older.Replace(gwmSQL(t, "export.sql"))); len(rows) != 24 {
			t.Errorf("%d permissions were found", len(rows))
		}
	})
}

func gwmSite(t *testing.T, s *db.Store) {
	t.Helper()
	ctx := t.Context()
	clusters := must(s.SyncClusters(ctx, []db.ClusterSettings{
		{Name: "prod", RAPIHost: "rapi.example.org", RAPIPort: 5080},
		{Name: "lab", RAPIHost: "192.0.2.1", RAPIPort: 5080},
		{Name: "a", RAPIHost: "twice.example.org", RAPIPort: 5080},
		{Name: "twice.example.org", RAPIHost: "192.0.2.2", RAPIPort: 5080},
	}))(t)
	for _, c := range clusters {
		names := map[string][]string{
			"prod": {"Web.example.org", "db.example.org", "twin.example.org", "Twin.example.org"},
			"lab":  {"test.example.org", "moved.example.org"},
		}[c.Name]
		hour := time.Now().Add(-time.Hour)
		// A tombstone is no VM of its name.
		gwmApply(t, s, c.ID, hour, []string{"gone.example.org"}, nil)
		gwmApply(t, s, c.ID, hour.Add(time.Minute), names, []string{"gone.example.org"})
	}
}

func gwmApply(t *testing.T, s *db.Store, clusterID int64, at time.Time, names, gone []string) {
	t.Helper()
	record := must(s.Fingerprints(t.Context(), clusterID, db.KindVM))(t)
	_, err := s.Apply(t.Context(), db.Snapshot{
		ClusterID: clusterID, Kind: db.KindVM, StartedAt: at, Objects: len(names), Generation: record.Generation, Missing: gone,
		Changed: func(yield func(db.Item) bool) {
			for i, name := range names {
				v := &db.VM{}
				v.UUID, v.Name, v.Info = name, name, db.JSON(`{}`)
				if !yield(db.Item{Row: v, Key: name, Name: name, Digest: [16]byte{byte(i + 1)}, Raw: v.Info}) {
					return
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// gwmStatements cuts a file at the ends of its statements; PostgreSQL's and SQLite's drivers differ in taking several.
func gwmStatements(text string) []string {
	var statements []string
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(statement) != "" {
			statements = append(statements, statement)
		}
	}
	return statements
}

func gwmExec(t *testing.T, conn *sqlx.Conn, text string) {
	t.Helper()
	for _, statement := range gwmStatements(text) {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
}

// gwmPermission is a row of export.sql, and of gwm_permissions.
type gwmPermission struct {
	Kind       string `db:"kind"`
	Holder     string `db:"holder"`
	Active     int    `db:"active"`
	Permission string `db:"permission"`
	Cluster    string `db:"cluster"`
	Slug       string `db:"slug"`
	VM         string `db:"vm"`
}

func gwmExport(t *testing.T, conn *sqlx.Conn, query string) []gwmPermission {
	t.Helper()
	var found []gwmPermission
	if err := conn.SelectContext(t.Context(), &found, query); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	return found
}

// gwmReported gives the rows of a query for the report, their columns with a bar between them.
func gwmReported(t *testing.T, conn *sqlx.Conn, query string) []string {
	t.Helper()
	var found []struct {
		Verdict    string `db:"verdict"`
		Subject    string `db:"subject"`
		Permission string `db:"permission"`
		Cluster    string `db:"cluster"`
		VM         string `db:"vm"`
		SeenIn     string `db:"seen_in"`
	}
	if err := conn.SelectContext(t.Context(), &found, query); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	var texts []string
	for _, r := range found {
		texts = append(texts, strings.Join([]string{r.Verdict, r.Subject, r.Permission, r.Cluster, r.VM, r.SeenIn}, "|"))
	}
	slices.Sort(texts) // the server's locale has its own order
	return texts
}

func gwmGranted(t *testing.T, s *db.Store) []string {
	t.Helper()
	var granted []string
	for _, g := range must(s.Grants(t.Context(), db.GrantFilter{}))(t) {
		granted = append(granted, g.Subject+" "+g.Permission+" "+g.Cluster+"/"+g.VM)
	}
	return granted
}
