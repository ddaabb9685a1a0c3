package ganeti_test

import "testing"

// BenchmarkHash is what it costs at least to recognise 10,000 items.
func BenchmarkHash(b *testing.B) {
	body, items := kvmBody(b, benchItems)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		for _, item := range items {
			hasher.Digest(item)
		}
	}
}
