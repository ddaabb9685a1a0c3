package db_test

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// BenchmarkSearch asks for a page of 50 of 1,000,000 VMs (SEARCH_VMS for another number), for the first one and for one
// further on, by every filter. The slowest of the runs is reported too.
func BenchmarkSearch(b *testing.B) {
	n := 1_000_000
	if text := os.Getenv("SEARCH_VMS"); text != "" {
		n = must(strconv.Atoi(text))(b)
	}
	for _, c := range []struct {
		name string
		open func(testing.TB) *db.Store
	}{{"sqlite", dbtest.SQLite}, {"postgres", dbtest.Postgres}} {
		b.Run(c.name, func(b *testing.B) {
			s := c.open(b)
			fill(b, s, n, 1000)
			for _, q := range fillSearches() {
				b.Run(q.name, func(b *testing.B) { benchmarkPage(b, s, q.filter) })
			}
		})
	}
}

func benchmarkPage(b *testing.B, s *db.Store, f db.VMFilter) {
	b.Helper()
	page := must(s.SearchVMs(b.Context(), f))(b)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		must(s.SearchVMs(b.Context(), f))(b)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(len(page.Items)), "rows")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
}
