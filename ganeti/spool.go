package ganeti

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
)

// spoolBlock is how much is compressed at a time, and the size up to which
// items stay as they are.
const spoolBlock = 256 << 10

// spool holds items in memory, compressed in blocks: what changed in an answer
// is needed again, in the worst case all of it, as on a first load. Items of
// one resource resemble each other, so ten thousand VMs take some megabytes.
type spool struct {
	lengths []int32
	blocks  []spooled
	open    []byte // the last block, not compressed
}

type spooled struct {
	data  []byte // s2, block format
	items int    // how many items it holds
}

func (s *spool) len() int { return len(s.lengths) }

// spooler fills a spool. It compresses a block while the next one is filled:
// the goroutine that reads an answer keeps RAPI waiting. Its last call is to
// [spooler.end], after which nothing runs any more.
type spooler struct {
	spool
	inBlocks    int    // how many items the blocks hold
	full        []byte // the block that is being compressed, then a free one
	scratch     []byte // for compressing
	compressing sync.WaitGroup
}

// add copies an item to the end.
func (s *spooler) add(item []byte) {
	if len(s.open) > 0 && len(s.open)+len(item) > spoolBlock {
		s.seal()
	}
	s.open = append(s.open, item...)
	s.lengths = append(s.lengths, int32(len(item))) //nolint:gosec // G115: bounded by maxItem
}

// seal has the open block compressed.
func (s *spooler) seal() {
	s.compressing.Wait() // one at a time, so that two blocks at most are in memory as they are
	s.open, s.full = s.full[:0], s.open
	items := len(s.lengths) - s.inBlocks
	s.inBlocks = len(s.lengths)
	s.compressing.Go(func() {
		s.scratch = s2.Encode(s.scratch[:cap(s.scratch)], s.full)
		data := bytes.Clone(s.scratch) // without the spare room of the worst case
		s.blocks = append(s.blocks, spooled{data: data, items: items})
	})
}

// end waits until all is compressed and returns the spool.
func (s *spooler) end() spool {
	s.compressing.Wait()
	return s.spool
}

// each yields the items in order.
func (s *spool) each(yield func(int, []byte) bool) {
	i := 0
	var scratch []byte
	for _, b := range s.blocks {
		var err error
		scratch, err = s2.Decode(scratch, b.data)
		if err != nil {
			panic(fmt.Sprintf("ganeti: a spooled block does not decompress: %v", err)) // memory is broken
		}
		if !s.walk(scratch, i, i+b.items, yield) {
			return
		}
		i += b.items
	}
	s.walk(s.open, i, len(s.lengths), yield)
}

// walk yields the items from..to, which lie one after the other in b.
func (s *spool) walk(b []byte, from, to int, yield func(int, []byte) bool) bool {
	for i := from; i < to; i++ {
		n := int(s.lengths[i])
		if !yield(i, b[:n:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}
