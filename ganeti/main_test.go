package ganeti_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"ganeticache/ganeti"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file returns one of the recorded answers.
func file(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// itemsOf cuts an answer with encoding/json, the judge of our own cutter.
func itemsOf(tb testing.TB, body []byte) [][]byte {
	tb.Helper()
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		tb.Fatal(err)
	}
	items := make([][]byte, len(raw))
	for i, item := range raw {
		items[i] = bytes.TrimSpace(item)
	}
	return items
}

// join writes an answer as RAPI does.
func join[T ~[]byte | ~string](items []T) []byte {
	body := []byte{'['}
	for i, item := range items {
		if i > 0 {
			body = append(body, ", "...)
		}
		body = append(body, item...)
	}
	return append(body, "]\n"...)
}

// read compares a complete answer with an index.
func read(tb testing.TB, body []byte, known *ganeti.Index) *ganeti.Delta {
	tb.Helper()
	d, err := ganeti.ReadArray(bytes.NewReader(body), make([]byte, 64<<10), 1<<30, known)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// changed returns copies of the changed items.
func changed(d *ganeti.Delta) []string {
	out := make([]string, 0, d.Changed())
	for i, raw := range d.Each() {
		if i != len(out) {
			panic("Each skipped a number")
		}
		out = append(out, string(raw))
	}
	return out
}

// keysOf returns what Delta.Index needs.
func keysOf(d *ganeti.Delta) []string {
	keys := make([]string, d.Changed())
	for i, raw := range d.Each() {
		keys[i], _ = ganeti.Identify(raw)
	}
	return keys
}
