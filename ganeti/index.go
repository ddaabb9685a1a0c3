package ganeti

import (
	"math"
	"slices"
	"strings"
)

// Known is one object on record. Key is its uuid (a job's id), or "" for an
// item that could not be identified: it is recognised but never missing.
type Known struct {
	Key    string
	Digest Digest
}

// Index is what the caller has on record of one bulk resource, in the order in
// which an answer is expected to list it. It is made of the digests that a
// database keeps ([NewIndex]), or of the previous answer ([Delta.Index]). Where
// the order is right, an unchanged item costs one hash. It is immutable and
// safe for concurrent use; the nil *Index is empty.
type Index struct {
	hasher  Hasher
	entries []entry
	keys    string   // of the entries, one after the other
	ghosts  []string // keys on record that the last answer lacked
	partial bool     // the last answer held items that are not remembered
}

// entry is one item of the last answer: its mark, and where in keys the key ends
// that it stands for. A million of them are in memory, so they hold no string
// each, and the mark lies in its parts, without a gap.
type entry struct {
	hash        uint64
	length, end uint32
}

func (e entry) mark() mark { return mark{e.hash, e.length} }

// key returns the key of an entry. It keeps all keys alive while it is held.
func (x *Index) key(i int) string {
	start := uint32(0)
	if i > 0 {
		start = x.entries[i-1].end
	}
	return x.keys[start:x.entries[i].end]
}

// entryList gathers the entries of an Index and their keys.
type entryList struct {
	entries []entry
	keys    strings.Builder
}

// newEntryList has room for so many entries, and bytes of keys: as many as there will be, since all of it stays in memory.
func newEntryList(entries, keys int) *entryList {
	l := &entryList{entries: make([]entry, 0, entries)}
	l.keys.Grow(keys)
	return l
}

// add reports whether the keys still fit: beyond 4 GiB of them nothing is remembered.
func (l *entryList) add(m mark, key string) bool {
	if l.keys.Len()+len(key) > math.MaxUint32 {
		return false
	}
	l.keys.WriteString(key)
	//nolint:gosec // G115: bounded by the line above
	l.entries = append(l.entries, entry{hash: m.hash, length: m.length, end: uint32(l.keys.Len())})
	return true
}

// NewIndex returns the index of objects whose digests h has made. Known in
// another order than the answer's, or by digests that are not h's, costs time
// and nothing else.
func NewIndex(h Hasher, known []Known) *Index {
	keys := 0
	for _, k := range known {
		keys += len(k.Key)
	}
	l := newEntryList(len(known), keys)
	for _, k := range known {
		l.add(k.Digest.mark(), k.Key)
	}
	return &Index{hasher: h, entries: l.entries, keys: l.keys.String()}
}

// Len returns how many items are known; keys that the last answer lacked are
// not among them.
func (x *Index) Len() int {
	if x == nil {
		return 0
	}
	return len(x.entries)
}

// matcher compares the items of one answer with an Index, in order.
type matcher struct {
	known  *Index
	next   int // the entry that is predicted
	items  int
	order  []int32 // nil as long as item i is entry i
	seen   []bool  // of the entries; nil like order
	byMark map[mark]int32
	marks  []mark // of the changed items
	spool  spooler
}

func newMatcher(known *Index) *matcher {
	if known == nil {
		known = &Index{}
	}
	return &matcher{known: known}
}

// predicted returns the entry that should come next.
func (m *matcher) predicted() (mark, bool) {
	if m.next >= len(m.known.entries) {
		return mark{}, false
	}
	return m.known.entries[m.next].mark(), true
}

// hit records that the predicted entry came.
func (m *matcher) hit() { m.match(m.next) }

func (m *matcher) match(i int) {
	if m.order == nil && i != m.items {
		m.diverge()
	}
	if m.order != nil {
		m.order = append(m.order, int32(i)) //nolint:gosec // G115: an index into entries
		m.seen[i] = true
	}
	m.items++
	m.next = i + 1
}

// offer looks an item up that was not predicted.
func (m *matcher) offer(item []byte) {
	seen := m.known.hasher.mark(item)
	if i, ok := m.find(seen); ok {
		m.match(int(i))
		return
	}
	if m.order == nil {
		m.diverge()
	}
	m.order = append(m.order, int32(^m.spool.len())) //nolint:gosec // G115: bounded by the body
	m.spool.add(item)
	m.marks = append(m.marks, seen)
	m.items++
	m.next++ // most often the predicted object itself has changed
}

func (m *matcher) find(seen mark) (int32, bool) {
	if m.byMark == nil {
		m.byMark = make(map[mark]int32, len(m.known.entries))
		for i, e := range m.known.entries {
			m.byMark[e.mark()] = int32(i)
		}
	}
	i, ok := m.byMark[seen]
	return i, ok
}

// diverge starts to write down what was implied so far: item i is entry i.
func (m *matcher) diverge() {
	m.seen = make([]bool, len(m.known.entries))
	m.order = make([]int32, m.items, max(len(m.known.entries), m.items+16))
	for i := range m.order {
		m.order[i] = int32(i)
		m.seen[i] = true
	}
}

func (m *matcher) finish() *Delta {
	d := &Delta{Items: m.items, known: m.known, order: m.order, marks: m.marks, spool: m.spool.end()}
	d.missing = m.missing()
	return d
}

// missing lists the keys on record of which no item came, each once, in the
// order of the record.
func (m *matcher) missing() []string {
	candidates := make(map[string]bool)
	var order []string
	add := func(key string) {
		if key != "" && !candidates[key] {
			candidates[key] = true
			order = append(order, key)
		}
	}
	for i := range m.known.entries {
		if !m.came(i) {
			add(m.known.key(i))
		}
	}
	for _, key := range m.known.ghosts {
		add(key)
	}
	if len(order) == 0 {
		return nil
	}
	for i := range m.known.entries {
		if m.came(i) {
			delete(candidates, m.known.key(i))
		}
	}
	return slices.DeleteFunc(order, func(key string) bool { return !candidates[key] })
}

func (m *matcher) came(i int) bool {
	if m.order == nil {
		return i < m.items
	}
	return m.seen[i]
}
