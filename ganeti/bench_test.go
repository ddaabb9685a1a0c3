package ganeti_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"ganeticache/ganeti"
)

const benchItems = 10_000

// kvmBody returns an answer of n kvm instances, each with a name and a uuid of
// its own, made from the recorded ones.
func kvmBody(tb testing.TB, n int) ([]byte, [][]byte) {
	tb.Helper()
	var templates []string
	for _, item := range itemsOf(tb, file(tb, "instances-bulk-500.body")) {
		if len(item) > 2000 {
			templates = append(templates, string(item))
		}
	}
	items := make([][]byte, n)
	for i := range items {
		var id struct{ Name, UUID string }
		item := templates[i%len(templates)]
		if err := json.Unmarshal([]byte(item), &id); err != nil {
			tb.Fatal(err)
		}
		r := strings.NewReplacer(id.Name, fmt.Sprintf("vm%05d.example.org", i), id.UUID, fmt.Sprintf("%08x%s", i, id.UUID[8:]))
		items[i] = []byte(r.Replace(item))
	}
	return join(items), items
}

func benchArray(b *testing.B, body []byte, known *ganeti.Index) {
	b.Helper()
	buffer := make([]byte, 128<<10)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ganeti.ReadArray(bytes.NewReader(body), buffer, 1<<30, known); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkArray(b *testing.B) {
	body, items := kvmBody(b, benchItems)
	b.Logf("%d bytes", len(body))
	first := read(b, body, nil)
	b.Logf("spool %d bytes", ganeti.SpoolSize(first))
	warm := first.Index(keysOf(first), nil)
	known := make([]ganeti.Known, len(items))
	for i, raw := range items {
		known[i] = ganeti.Known{Key: strconv.Itoa(i), Digest: hasher.Digest(raw)}
	}
	changed := bytes.Clone(body)
	for i := range 100 {
		at := len(changed) / 100 * i
		j := at + bytes.Index(changed[at:], []byte(`"oper_ram": `)) + len(`"oper_ram": `)
		changed[j] = '7'
	}
	b.Run("cutter", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if n := ganeti.CutAll(body); n != benchItems {
				b.Fatal(n)
			}
		}
	})
	b.Run("spool", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			ganeti.Spool(items)
		}
	})
	b.Run("new", func(b *testing.B) { benchArray(b, body, nil) })
	b.Run("warm", func(b *testing.B) { benchArray(b, body, warm) })
	b.Run("warm1percent", func(b *testing.B) { benchArray(b, changed, warm) })
	b.Run("cold", func(b *testing.B) { benchArray(b, body, ganeti.NewIndex(hasher, known)) })
	b.Run("each", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			for range first.Each() {
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	_, items := kvmBody(b, 100)
	bench := func(name string, raw []byte, f func([]byte) error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if err := f(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("Instance", items[0], func(r []byte) error { _, err := ganeti.DecodeInstance(r); return err })
	bench("Node", file(b, "node.body"), func(r []byte) error { _, err := ganeti.DecodeNode(r); return err })
	bench("Group", file(b, "group.body"), func(r []byte) error { _, err := ganeti.DecodeGroup(r); return err })
	bench("Network", file(b, "network.body"), func(r []byte) error { _, err := ganeti.DecodeNetwork(r); return err })
	bench("Job", file(b, "job-error.body"), func(r []byte) error { _, err := ganeti.DecodeJob(r); return err })
	bench("Info", file(b, "info.body"), func(r []byte) error { _, err := ganeti.DecodeInfo(r); return err })
	bench("Storable", items[0], func(r []byte) error { _, err := builtIn.Storable(r); return err })
	bench("Identify", items[0], func(r []byte) error { ganeti.Identify(r); return nil })
	bench("Digest", items[0], func(r []byte) error { hasher.Digest(r); return nil })
}
