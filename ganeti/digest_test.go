package ganeti_test

import (
	"encoding/binary"
	"testing"

	"ganeticache/ganeti"
)

// hasher makes the digests of the tests.
var hasher = ganeti.NewHasher(0x5eed)

func TestHasher_Digest(t *testing.T) {
	t.Parallel()
	raw := []byte(item("a", 1))
	d := hasher.Digest(raw)
	if n := binary.BigEndian.Uint32(d[:4]); int(n) != len(raw) {
		t.Errorf("the digest says %d bytes, want %d", n, len(raw))
	}
	if again := ganeti.NewHasher(0x5eed).Digest(raw); again != d {
		t.Errorf("the same seed gives %x and %x", d, again)
	}
	if other := ganeti.NewHasher(1).Digest(raw); other == d {
		t.Error("another seed gives the same digest")
	}
	seen := map[ganeti.Digest]int{d: -1}
	for bit := range 8 * len(raw) {
		changed := []byte(item("a", 1))
		changed[bit/8] ^= 1 << (bit % 8)
		if before, ok := seen[hasher.Digest(changed)]; ok {
			t.Errorf("flipping bit %d and bit %d gives the same digest", bit, before)
		}
		seen[hasher.Digest(changed)] = bit
	}
}

// Digests of another making, as an older version of the updater or a restored seed leaves them, recognise nothing and
// change nothing else.
func TestNewIndex_ForeignDigests(t *testing.T) {
	t.Parallel()
	a, b := item("a", 1), item("b", 1)
	foreign := ganeti.Digest{0xff, 0xff, 0xff, 0xff, 1}
	long := ganeti.Digest{0, 0xff, 0xff, 0xff, 2}
	index := ganeti.NewIndex(hasher, []ganeti.Known{{Key: "a", Digest: foreign}, {Key: "b", Digest: long}, {Key: "c", Digest: ganeti.Digest{}}})
	d := read(t, join([]string{a, b}), index)
	if d.Changed() != 2 || len(d.Missing()) != 3 {
		t.Errorf("%d items changed and %q are missing, want 2, and a, b and c", d.Changed(), d.Missing())
	}
	if again := read(t, join([]string{a, b}), d.Index([]string{"a", "b"}, nil)); !again.Unchanged() {
		t.Error("the same answer again is not known")
	}
}
