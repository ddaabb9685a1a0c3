package updater_test

import (
	"crypto/tls"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/updater"
)

const (
	giantLimit  = 8 << 20         // max_body of the cluster that sends giants
	giantMemory = 24 * giantLimit // what one refresh may take above the start, whatever comes
)

// endless sends a head, and then a text until the client leaves.
func endless(head, text string) script {
	block := strings.Repeat(text, 1+64<<10/len(text))
	return func(conn *tls.Conn) {
		for ok := send(conn, "HTTP/1.1 200 OK\r\n\r\n"+head); ok; {
			ok = send(conn, block)
		}
	}
}

// upTo sends a list just below the limit.
func upTo(head, text, tail string) script {
	n := (giantLimit - len(head) - len(tail) - 1) / len(text)
	body := head + strings.Repeat(text, n) + tail
	return whole(body)
}

// giants are answers that are meant to use up memory.
func giants(l *liar) []hostile {
	first := strings.TrimSuffix(list(l.items...), "]\n")
	vm := `{"uuid": "giant", "name": "giant", "x": `
	return []hostile{
		{name: "one VM again and again", answer: endless("["+l.items[0], ", "+l.items[0]), reasons: "too_large"},
		{name: "one text", answer: endless(`["`, "x"), reasons: "too_large"},
		{name: "one VM", answer: endless(`[{"uuid": "`, `a", "uuid": "`), reasons: "too_large"},
		{name: "opening brackets", answer: endless("[", "["), reasons: "too_large"},
		{name: "numbers without end", answer: endless("[1", ", 1"), reasons: "too_large"},
		{name: "numbers up to the limit", answer: upTo("[1", ",1", "]"), reasons: "too_large"},
		{name: "empty objects up to the limit", answer: upTo("[{}", ",{}", "]"), reasons: "too_large"},
		{name: "a VM with one text", answer: upTo(first+", "+vm+`"`, "x", `"}]`), want: believed},
		{name: "a VM with one text that is not UTF-8", answer: upTo(first+", "+vm+`"`, "\xff", `"}]`), want: believed},
		{name: "a VM with backslashes", answer: upTo(first+", "+vm+`"`, `\\`, `"}]`), want: believed},
		{name: "a VM with NaN", answer: upTo(first+", "+vm+"[0", ",NaN", "]}]"), want: believed},
		{name: "a VM with brackets", answer: upTo(first+", "+vm+"[[]", ",[]", "]}]"), want: believed},
		{name: "a VM with tags", answer: upTo(first+`, {"uuid": "giant", "name": "giant", "tags": [""`, `,"abcdefg"`, "]}]"), want: kept},
	}
}

// heap is the memory of all objects, dead ones that were not collected yet included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// peak runs f and returns by how much the heap grew meanwhile at most, looking every millisecond.
func peak(f func()) uint64 {
	runtime.GC()
	start, most := heap(), uint64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				most = max(most, heap())
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return max(most, start) - start
}

// TestHostile_MemoryIsBounded sends answers of any size: what a refresh takes depends on max_body, and on nothing that
// comes. It is not parallel, so that no other test's memory is counted.
func TestHostile_MemoryIsBounded(t *testing.T) { //nolint:paralleltest // it measures the process
	for name, open := range map[string]func(testing.TB) *db.Store{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // it measures the process
			r, l := lyingRig(t, open(t), 8, giantLimit)
			before := r.live()
			for _, g := range giants(l) {
				t.Run(g.name, func(t *testing.T) { //nolint:paralleltest // it measures the process
					l.lie("/2/instances", g.answer)
					var res updater.Result
					var err error
					began := time.Now()
					grown := peak(func() {
						res, err = r.u.Refresh(t.Context(), "prod", updater.RefreshOptions{Kinds: []db.Kind{db.KindVM}})
					})
					must(t, err)
					t.Logf("%d MiB in %s", grown>>20, time.Since(began).Round(time.Millisecond))
					if grown > giantMemory {
						t.Errorf("the refresh took %d MiB, want at most %d", grown>>20, giantMemory>>20)
					}
					if reason := updater.Reason(res.Err()); !slices.Contains(strings.Fields(g.reasons), reason) && reason+g.reasons != "" {
						t.Errorf("reason = %q (%.300v), want %q", reason, res.Err(), g.reasons)
					}
					g.checkRows(t, before, r.live()[:len(before)])
					l.heal()
					r.checkHealed(t, before)
				})
			}
		})
	}
}
