package security_test

import (
	"crypto/sha256"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// TestDocument_CleaningStatements: the statements of docs/security.md take a secret out of what is stored, and leave a row
// that the same answer does not touch again.
func TestDocument_CleaningStatements(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		block := regexp.MustCompile("(?s)```sql " + s.Dialect() + "\n(.*?)```").FindSubmatch(text)
		if block == nil {
			t.Fatal("the document has no statements")
		}
		clusters, err := s.SyncClusters(t.Context(), []db.ClusterSettings{{Name: "prod", RAPIHost: "rapi", RAPIPort: 5080}})
		if err != nil {
			t.Fatal(err)
		}
		id, at := clusters[0].ID, time.Now().Add(-time.Hour)
		store := func(key string) {
			at = at.Add(time.Minute)
			vm := &db.VM{Status: "running"}
			vm.UUID, vm.Name, vm.Info = "u", "vm", db.JSON(`{"hvparams": {"license_key": "`+key+`", "acpi": true}}`)
			bad := db.JSON(`{"license_key": "` + key + `"}`)
			sum := sha256.Sum256(vm.Info)
			prints, err := s.Fingerprints(t.Context(), id, db.KindVM)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Apply(t.Context(), db.Snapshot{
				ClusterID: id, Kind: db.KindVM, StartedAt: at, Objects: 2, Generation: prints.Generation,
				Changed: func(yield func(db.Item) bool) {
					_ = yield(db.Item{Row: vm, Key: "u", Name: "vm", Digest: [16]byte(sum[:]), Raw: vm.Info}) &&
						yield(db.Item{Key: "v", Name: "bad", Digest: [16]byte(sum[16:]), Raw: bad, Reason: "odd"})
				},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		store(canary)
		store(canary + "2")
		if n := found(t, s, canary); n < 3 {
			t.Fatalf("the secret is in %d places, and this test wants to clean three", n)
		}
		for statement := range strings.SplitSeq(strings.TrimSpace(string(block[1])), ";\n") {
			if _, err := s.Writer().ExecContext(t.Context(), statement); err != nil {
				t.Errorf("%s: %v", statement, err)
			}
		}
		if n := found(t, s, canary); n != 0 {
			t.Errorf("the secret is still in %d places", n)
		}
		if n := found(t, s, "[redacted]"); n != 1 {
			t.Errorf("%d rows are redacted, want the VM", n)
		}
		if n := found(t, s, "acpi"); n != 1 {
			t.Error("the rest of the object is gone")
		}
	})
}

// found counts the places that hold a text.
func found(t *testing.T, s *db.Store, text string) int {
	t.Helper()
	total := 0
	for _, query := range []string{
		"SELECT count(*) FROM virtual_machines WHERE CAST(info AS TEXT) LIKE ?", "SELECT count(*) FROM changes WHERE CAST(fields AS TEXT) LIKE ?",
		"SELECT count(*) FROM quarantine WHERE raw LIKE ?",
	} {
		var n int
		if err := s.DB().GetContext(t.Context(), &n, s.DB().Rebind(query), "%"+text+"%"); err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}
