package ganeti_test

import (
	"hash/maphash"
	"testing"

	"ganeticache/ganeti"
)

// BenchmarkHash is what it costs at least to recognise 10,000 items: by the hash that the process remembers, and by the
// digest that the database keeps.
func BenchmarkHash(b *testing.B) {
	body, items := kvmBody(b, benchItems)
	bench := func(name string, hash func([]byte)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				for _, item := range items {
					hash(item)
				}
			}
		})
	}
	seed := maphash.MakeSeed()
	bench("memory", func(item []byte) { maphash.Bytes(seed, item) })
	bench("database", func(item []byte) { ganeti.DigestOf(item) })
}
