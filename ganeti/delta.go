package ganeti

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// Delta is one complete bulk answer, compared with an [Index]. It is read only
// and safe for concurrent use.
type Delta struct {
	// StartedAt is when the request started, UTC to the microsecond: the time
	// the snapshot speaks of.
	StartedAt time.Time
	// Date is the time that the answer's header names, as in [Answer].
	Date time.Time
	// Duration is how long the request took until the last byte.
	Duration time.Duration
	// Bytes counts the body as received.
	Bytes int64
	// Address is the one that answered.
	Address Address
	// Items counts the items of the answer, known ones included.
	Items int

	known   *Index
	order   []int32 // per item: an entry of known, or ^i for the changed item i; nil: item i is entry i
	marks   []mark  // of the changed items
	spool   spool
	missing []string
}

// Changed returns how many items are not on record as they are.
func (d *Delta) Changed() int { return d.spool.len() }

// Each yields those items and their numbers from 0, in the order of the
// answer. It may be iterated again, also concurrently. The bytes are valid
// until the next step only and must not be changed.
func (d *Delta) Each() iter.Seq2[int, []byte] { return d.spool.each }

// Missing returns the keys on record of which no item came unchanged, each
// once: objects that are gone, and the ones that changed, whose new item is
// among Each. The slice must not be changed.
func (d *Delta) Missing() []string { return d.missing }

// Unchanged reports that the answer holds just what is on record, and that the
// one before it did so too: an item of that one which was not remembered is gone.
func (d *Delta) Unchanged() bool {
	return d.Changed() == 0 && len(d.missing) == 0 && !d.known.partial
}

// Index returns the index for the next answer. keys[i] is the key of the
// changed item i; with "" (or beyond the end of keys) the item is not
// remembered and counts as changed again. ghosts are keys that stay on record
// although this answer lacks them: Missing reports them next time as well,
// unless an item of that key is recognised.
//
// Of a key that several items of this answer have, and not all of them known as
// they are, none is remembered: which of them the caller has on record is not
// known here. All of them count as changed next time, and the key stays on
// record as a ghost does.
//
// An answer that matched in order gives the index it was compared with.
func (d *Delta) Index(keys, ghosts []string) *Index {
	if d.order == nil && d.Items == len(d.known.entries) && slices.Equal(ghosts, d.known.ghosts) && !d.known.partial {
		return d.known
	}
	x := &Index{hasher: d.known.hasher}
	for _, key := range ghosts {
		x.ghosts = append(x.ghosts, strings.Clone(key))
	}
	if d.order == nil {
		x.entries, x.keys = d.known.entries[:d.Items:d.Items], d.known.keys
		return x
	}
	x.partial = len(keys) < d.Changed() || slices.Contains(keys, "")
	shared := d.shared(keys)
	size := 0
	for _, i := range d.order {
		_, key := d.remembered(int(i), keys)
		size += len(key)
	}
	l := newEntryList(d.Items, size)
	for _, i := range d.order {
		m, key := d.remembered(int(i), keys)
		switch {
		case key == "" && i < 0, shared[key]:
		case !l.add(m, key):
			x.partial = true
		}
	}
	x.entries, x.keys = l.entries, l.keys.String()
	for _, key := range slices.Sorted(maps.Keys(shared)) {
		x.ghosts = append(x.ghosts, strings.Clone(key))
	}
	return x
}

// shared returns the keys that a changed item has in common with another item
// of the answer.
func (d *Delta) shared(keys []string) map[string]bool {
	changed := make(map[string]bool, len(keys)) // true: shared
	for _, key := range keys[:min(len(keys), d.Changed())] {
		if key != "" {
			_, again := changed[key]
			changed[key] = again || changed[key]
		}
	}
	for _, i := range d.order {
		if i < 0 {
			continue
		}
		if _, also := changed[d.known.key(int(i))]; also {
			changed[d.known.key(int(i))] = true
		}
	}
	maps.DeleteFunc(changed, func(_ string, shared bool) bool { return !shared })
	return changed
}

// remembered gives what is remembered of an item; a changed one without a key is not.
func (d *Delta) remembered(i int, keys []string) (m mark, key string) {
	if i >= 0 {
		return d.known.entries[i].mark(), d.known.key(i)
	}
	i = ^i
	if i < len(keys) {
		key = keys[i]
	}
	return d.marks[i], key
}
