package db_test

import (
	"regexp"
	"strings"
	"testing"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// Every filter is served by an index, on 100,000 VMs: the plan that the database makes for the very query of the search
// reads no table as a whole, and for filters that find few rows it begins with the filter's own index.
func TestSearchVMs_Plans(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("100,000 VMs take a few seconds")
	}
	// "SCAN v" and nothing more is SQLite's word for reading a table; "SCAN v USING INDEX" reads it in an order.
	whole := regexp.MustCompile(`Seq Scan on (virtual_machines|changes)|SCAN (v|g|ch|virtual_machines|changes|vm_terms)$|SCAN .* USING AUTOMATIC`)
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		vms := 100_000
		if raceDetector && s.Dialect() == "sqlite" {
			vms = 20_000
		}
		fill(t, s, vms, 10)
		for _, q := range fillSearches() {
			plan := must(s.ExplainVMs(t.Context(), q.filter, false))(t)
			text := strings.Join(plan, "\n")
			for _, line := range plan {
				if whole.MatchString(line) {
					t.Errorf("%s: a table is read as a whole: %s\n%s", q.name, line, text)
				}
			}
			want := q.sqlite
			if s.Dialect() == "postgres" {
				want = q.postgres
			}
			if !strings.Contains(text, want) {
				t.Errorf("%s: the plan does not use %s:\n%s", q.name, want, text)
			}
		}
		checkOrders(t, s)
	})
}

// checkOrders looks at the sort orders that have an index: a page further on costs what it holds, whatever comes before and
// after it.
func checkOrders(t *testing.T, s *db.Store) {
	t.Helper()
	for column, index := range map[string]string{
		"name": "virtual_machines_name", "memory_mib": "virtual_machines_memory_mib", "vcpus": "virtual_machines_vcpus",
		"disk_mib": "virtual_machines_disk_mib", "primary_node": "virtual_machines_primary_node", "id": "",
	} {
		for _, descending := range []bool{false, true} {
			f := db.VMFilter{Sort: column, Descending: descending, Limit: 100}
			f.After = must(s.SearchVMs(t.Context(), f))(t).Next
			text := strings.Join(must(s.ExplainVMs(t.Context(), f, false))(t), "\n")
			if !strings.Contains(text, index) || strings.Contains(text, "Seq Scan on virtual_machines") {
				t.Errorf("sorted by %s, descending %v:\n%s", column, descending, text)
			}
		}
	}
}
