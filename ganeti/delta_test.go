package ganeti_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti"
)

// item writes an object of a key, so that a test can tell the key by the bytes.
func item(key string, version int) string {
	return fmt.Sprintf(`{"uuid": %q, "version": %d, "pad": "}],%s"}`, key, version, strings.Repeat("x", version%7))
}

// warm returns the index of an answer in which everything was new.
func warm(tb testing.TB, items ...string) *ganeti.Index {
	tb.Helper()
	d := read(tb, join(items), nil)
	return d.Index(keysOf(d), nil)
}

// cold returns an index as it comes from a database.
func cold(items ...string) *ganeti.Index {
	known := make([]ganeti.Known, len(items))
	for i, it := range items {
		key, _ := ganeti.Identify([]byte(it))
		known[i] = ganeti.Known{Key: key, Digest: hasher.Digest([]byte(it))}
	}
	return ganeti.NewIndex(hasher, known)
}

func TestDelta(t *testing.T) {
	t.Parallel()
	a1, b1, c1, d1 := item("a", 1), item("b", 1), item("c", 1), item("d", 1)
	b2, n1 := item("b", 20), item("n", 1)
	tests := []struct {
		name    string
		answer  []string
		changed []string
		missing []string
		again   []string // changed when the same answer comes again
	}{
		{"nothing changed", []string{a1, b1, c1, d1}, nil, nil, nil},
		{"one changed in its place", []string{a1, b2, c1, d1}, []string{b2}, []string{"b"}, nil},
		{"one is new", []string{a1, n1, b1, c1, d1}, []string{n1}, nil, nil},
		{"new at the end", []string{a1, b1, c1, d1, n1}, []string{n1}, nil, nil},
		{"one is gone", []string{a1, c1, d1}, nil, []string{"b"}, nil},
		{"the first is gone", []string{b1, c1, d1}, nil, []string{"a"}, nil},
		{"the last is gone", []string{a1, b1, c1}, nil, []string{"d"}, nil},
		{"all are gone", nil, nil, []string{"a", "b", "c", "d"}, nil},
		{"other order", []string{d1, b1, a1, c1}, nil, nil, nil},
		{"one comes twice", []string{a1, b1, b1, c1, d1}, nil, nil, nil},
		{"old and new version", []string{a1, b1, b2, c1, d1}, []string{b2}, nil, []string{b1, b2}},
		{"everything differs", []string{item("a", 2), n1}, []string{item("a", 2), n1}, []string{"a", "b", "c", "d"}, nil},
	}
	for form, known := range map[string]*ganeti.Index{"warm": warm(t, a1, b1, c1, d1), "cold": cold(a1, b1, c1, d1)} {
		for _, tt := range tests {
			t.Run(form+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				d := read(t, join(tt.answer), known)
				if diff := cmp.Diff(tt.changed, changed(d), equateEmpty); diff != "" {
					t.Errorf("changed (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.missing, d.Missing(), equateEmpty); diff != "" {
					t.Errorf("missing (-want +got):\n%s", diff)
				}
				if want := len(tt.changed)+len(tt.missing) == 0; d.Unchanged() != want {
					t.Errorf("Unchanged = %t, want %t", d.Unchanged(), want)
				}
				next := d.Index(keysOf(d), nil)
				again := read(t, join(tt.answer), next)
				if diff := cmp.Diff(tt.again, changed(again), equateEmpty); diff != "" {
					t.Errorf("the same answer again: changed (-want +got):\n%s", diff)
				}
				if tt.again == nil && (!again.Unchanged() || again.Index(nil, nil) != next) {
					t.Error("the same answer again: another index")
				}
			})
		}
	}
}

// equateEmpty makes nil and empty lists equal.
var equateEmpty = cmp.Transformer("empty", func(s []string) string { return strings.Join(s, "\x00") })

func TestDelta_Ghosts(t *testing.T) {
	t.Parallel()
	a, b := item("a", 1), item("b", 1)
	d := read(t, join([]string{a}), warm(t, a, b))
	known := d.Index(nil, d.Missing())
	if known.Len() != 1 {
		t.Errorf("Len = %d, want 1", known.Len())
	}
	again := read(t, join([]string{a}), known)
	if diff := cmp.Diff([]string{"b"}, again.Missing()); diff != "" {
		t.Errorf("a withheld key is missing again (-want +got):\n%s", diff)
	}
	if again.Index(nil, []string{"b"}) != known {
		t.Error("the same ghosts: another index")
	}
	without := again.Index(nil, nil)
	if last := read(t, join([]string{a}), without); !last.Unchanged() {
		t.Errorf("ghosts given up are still missing: %v", last.Missing())
	}
	back := read(t, join([]string{a, b}), known)
	if diff := cmp.Diff([]string{"b"}, back.Missing()); diff != "" || back.Changed() != 1 {
		t.Errorf("a ghost that comes back as an unknown item is changed and missing: %d, %s", back.Changed(), diff)
	}
	recognised := read(t, join([]string{a, b}), warm(t, a, b).WithGhosts("b"))
	if !recognised.Unchanged() {
		t.Errorf("a ghost whose item is recognised is not missing: %v", recognised.Missing())
	}
}

func TestDelta_NotRemembered(t *testing.T) {
	t.Parallel()
	a, broken := item("a", 1), `{"uuid": 5}`
	d := read(t, join([]string{a, broken}), nil)
	known := d.Index([]string{"a", ""}, nil)
	again := read(t, join([]string{a, broken}), known)
	if diff := cmp.Diff([]string{broken}, changed(again)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if missing := again.Missing(); missing != nil {
		t.Errorf("missing: %v", missing)
	}
	anonymous := ganeti.NewIndex(hasher, []ganeti.Known{{Digest: hasher.Digest([]byte(broken))}})
	if d := read(t, join([]string{broken}), anonymous); !d.Unchanged() {
		t.Error("an item on record without a key is not recognised")
	}
	if d := read(t, []byte("[]"), anonymous); !d.Unchanged() {
		t.Errorf("an item on record without a key is missing: %q", d.Missing())
	}
}

func TestDelta_UnchangedAllocatesNothingPerItem(t *testing.T) {
	body := file(t, "instances-bulk-500.body")
	first := read(t, body, nil)
	known := first.Index(keysOf(first), nil)
	buffer := make([]byte, 64<<10)
	reader := bytes.NewReader(nil)
	var d *ganeti.Delta
	allocs := testing.AllocsPerRun(10, func() {
		reader.Reset(body)
		var err error
		if d, err = ganeti.ReadArray(reader, buffer, 1<<30, known); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 5 {
		t.Errorf("reading %d known items allocates %v times", d.Items, allocs)
	}
	if n := testing.AllocsPerRun(10, func() { d.Index(nil, nil) }); n != 0 || d.Index(nil, nil) != known {
		t.Errorf("Index of an unchanged answer allocates %v times", n)
	}
}

func TestDelta_EachStopsAndRepeats(t *testing.T) {
	t.Parallel()
	items := itemsOf(t, file(t, "instances-bulk-500.body"))
	d := read(t, join(items), nil)
	for i := range d.Each() {
		if i == 300 { // inside the second block
			break
		}
	}
	for range 2 {
		got := changed(d)
		for i := range items {
			if got[i] != string(items[i]) {
				t.Fatalf("item %d differs after the spool:\n%s\n%s", i, items[i], got[i])
			}
		}
	}
}

func TestSpool_Memory(t *testing.T) {
	t.Parallel()
	body, _ := kvmBody(t, 1_000)
	d := read(t, body, nil)
	if size := ganeti.SpoolSize(d); size > 1<<20 {
		t.Errorf("%d bytes of changed items take %d bytes", len(body), size)
	}
}
