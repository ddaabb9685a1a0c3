package ganeti

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"
)

// Digest tells the bytes of an item as RAPI sent them: four bytes of their
// length and twelve of their hash, both big endian. It is what a database keeps
// to recognise the item: the length says where it ends in the answer, so that
// it need not be looked for.
type Digest [16]byte

// Hasher makes digests. Those of one record must have the same seed, and nobody
// who chooses what Ganeti says of an object should know it: XXH3 is fast because
// it is not made to withstand somebody who does. Who does not know the seed
// cannot aim at two contents with one digest.
type Hasher struct{ seed uint64 }

// NewHasher returns the hasher with this seed.
func NewHasher(seed uint64) Hasher { return Hasher{seed} }

// Digest returns the digest of an item.
func (h Hasher) Digest(raw []byte) Digest {
	sum := xxh3.Hash128Seed(raw, h.seed)
	var d Digest
	binary.BigEndian.PutUint32(d[:4], uint32(len(raw))) //nolint:gosec // G115: maxItem bounds items, and what is longer still has its hash
	binary.BigEndian.PutUint64(d[4:12], sum.Hi)
	binary.BigEndian.PutUint32(d[12:], uint32(sum.Lo)) //nolint:gosec // G115: as many bytes as there is room for
	return d
}

// mark is what an Index remembers of a digest.
type mark struct {
	hash   uint64
	length uint32
}

func (h Hasher) mark(raw []byte) mark { return h.Digest(raw).mark() }

func (d Digest) mark() mark {
	return mark{hash: binary.BigEndian.Uint64(d[4:12]), length: binary.BigEndian.Uint32(d[:4])}
}
