package db

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// Nearly all members of an object that has changed are as they were, but PostgreSQL gives the keys of jsonb in an order of its
// own, so that their texts differ. Hashes that do not depend on the order of keys find them: each text is read once, nothing
// is sorted but numbers, and only what is left is compared.

// sieve finds members that are the same in two objects. What it does not recognise as the same, such as a number that is
// spelt in another way, may be so all the same.
type sieve struct {
	seed     maphash.Seed
	old, now []hashedMember
	// keys are the hashes of the keys of the objects that are being read, one object's behind another's.
	keys []uint64
}

// hashedMember is where a member's key, without its quotes, and its value are in a text.
type hashedMember struct {
	key, value                  uint64
	keyAt, keyEnd, at, valueEnd int
}

// apart appends the members that may differ, those of old in front of the middle, each side sorted by key. It is false, with
// nothing appended, for what has to be looked at otherwise: too many members, keys with escapes, or the same key twice.
func (s *sieve) apart(members []member, old, now []byte) (all []member, middle int, ok bool) {
	var oldOK, nowOK bool
	s.old, oldOK = s.members(s.old[:0], old)
	s.now, nowOK = s.members(s.now[:0], now)
	if !oldOK || !nowOK {
		return members, 0, false
	}
	byKey := func(a, b hashedMember) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return 0
	}
	slices.SortFunc(s.old, byKey)
	slices.SortFunc(s.now, byKey)
	start := len(members)
	members = appendOthers(members, old, s.old, s.now)
	middle = len(members)
	members = appendOthers(members, now, s.now, s.old)
	sortMembers(members[start:middle])
	sortMembers(members[middle:])
	return members, middle, true
}

// appendOthers appends the members of a text that the other one has not; both are sorted.
func appendOthers(members []member, text []byte, own, others []hashedMember) []member {
	j := 0
	for _, m := range own {
		for j < len(others) && others[j].key < m.key {
			j++
		}
		if j < len(others) && others[j].key == m.key && others[j].value == m.value {
			continue
		}
		members = append(members, member{text[m.keyAt:m.keyEnd], text[m.at:m.valueEnd]})
	}
	return members
}

func sortMembers(m []member) {
	slices.SortFunc(m, func(a, b member) int { return bytes.Compare(a.key, b.key) })
}

// members hashes the members of an object.
func (s *sieve) members(hashed []hashedMember, text []byte) (_ []hashedMember, ok bool) {
	w := spans{text: text, at: 1}
	s.keys = s.keys[:0]
	if w.next() == '}' {
		w.at++
		return hashed, w.end() == nil
	}
	for len(hashed) < maxSpans {
		var m hashedMember
		if w.next() != '"' {
			return hashed, false
		}
		m.keyAt = w.at + 1
		w.string()
		m.keyEnd = w.at - 1
		if m.keyEnd < m.keyAt {
			return hashed, false
		}
		key := text[m.keyAt:m.keyEnd]
		if m.key = maphash.Bytes(s.seed, key); bytes.IndexByte(key, '\\') >= 0 || !s.isNew(0, m.key) || w.next() != ':' {
			return hashed, false
		}
		w.at++
		w.next()
		m.at = w.at
		if m.value, ok = s.value(&w, 1); !ok {
			return hashed, false
		}
		m.valueEnd = w.at
		hashed = append(hashed, m)
		switch w.next() {
		case ',':
			w.at++
		case '}':
			w.at++
			return hashed, w.end() == nil
		default:
			return hashed, false
		}
	}
	return hashed, false
}

// isNew notes a key of the object whose keys begin at from, and says whether it is the first of its name.
func (s *sieve) isNew(from int, key uint64) bool {
	if slices.Contains(s.keys[from:], key) {
		return false
	}
	s.keys = append(s.keys, key)
	return true
}

// value reads a value and hashes it.
func (s *sieve) value(w *spans, depth int) (hash uint64, ok bool) {
	switch first := w.next(); {
	case depth > maxNesting:
		return 0, false
	case first == '{':
		return s.object(w, depth)
	case first == '[':
		return s.list(w, depth)
	case first == '"':
		from := w.at
		w.string()
		return maphash.Bytes(s.seed, w.text[from:w.at]), true
	}
	from := w.at
	for w.at < len(w.text) {
		switch w.text[w.at] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return maphash.Bytes(s.seed, w.text[from:w.at]), w.at > from
		}
		w.at++
	}
	return 0, false
}

// object hashes an object so that the order of its keys does not count.
func (s *sieve) object(w *spans, depth int) (hash uint64, ok bool) {
	from := len(s.keys)
	defer func() { s.keys = s.keys[:from] }()
	w.at++
	if w.next() == '}' {
		w.at++
		return 1, true
	}
	for len(s.keys)-from < maxSpans {
		if w.next() != '"' {
			return 0, false
		}
		start := w.at
		w.string()
		key := maphash.Bytes(s.seed, w.text[start:w.at])
		if !s.isNew(from, key) || w.next() != ':' {
			return 0, false
		}
		w.at++
		value, ok := s.value(w, depth+1)
		if !ok {
			return 0, false
		}
		hash += mix(key, value)
		switch w.next() {
		case ',':
			w.at++
		case '}':
			w.at++
			return mix(hash, 1), true
		default:
			return 0, false
		}
	}
	return 0, false
}

// list hashes a list, whose order counts.
func (s *sieve) list(w *spans, depth int) (hash uint64, ok bool) {
	w.at++
	if w.next() == ']' {
		w.at++
		return 2, true
	}
	for {
		value, ok := s.value(w, depth+1)
		if !ok {
			return 0, false
		}
		hash = mix(hash, value)
		switch w.next() {
		case ',':
			w.at++
		case ']':
			w.at++
			return mix(hash, 2), true
		default:
			return 0, false
		}
	}
}

// mix makes one hash of two in this order; the constants are those of SplitMix64 (Steele, Lea, Flood 2014).
func mix(a, b uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 + b
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
