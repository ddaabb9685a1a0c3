package rapisim

import (
	"slices"
	"sort"
)

// pageSize bounds how many instances share one prepared text: small enough
// that one change re-renders little, large enough that a bulk answer is a few
// big writes.
const pageSize = 64

// listing holds the instances in the order Ganeti lists them, cut into pages
// whose JSON is kept ready to send. A change marks a page stale; the next
// answer rebuilds that page, rendering the changed items and copying the rest.
// Texts are replaced, never overwritten: an answer being sent keeps its own.
type listing struct{ pages []*page }

type page struct {
	items []*instance
	text  []byte // each item preceded by ", "
	stale bool
}

// load fills an empty listing with instances already in order.
func (l *listing) load(sorted []*instance) {
	for part := range slices.Chunk(sorted, pageSize) {
		l.pages = append(l.pages, &page{items: slices.Clone(part), stale: true})
	}
}

// find returns where name is or belongs. The listing must not be empty.
func (l *listing) find(name string) (p *page, at int) {
	n := sort.Search(len(l.pages), func(i int) bool {
		items := l.pages[i].items
		return compareNames(items[len(items)-1].name, name) >= 0
	})
	p = l.pages[min(n, len(l.pages)-1)]
	at, _ = slices.BinarySearchFunc(p.items, name, func(v *instance, name string) int {
		return compareNames(v.name, name)
	})
	return p, at
}

func (l *listing) insert(v *instance) {
	v.text = nil
	if len(l.pages) == 0 {
		l.load([]*instance{v})
		return
	}
	p, at := l.find(v.name)
	p.items = slices.Insert(p.items, at, v)
	p.stale = true
	if len(p.items) > pageSize {
		half := len(p.items) / 2
		rest := &page{items: slices.Clone(p.items[half:]), stale: true}
		p.items = slices.Clip(p.items[:half])
		l.pages = slices.Insert(l.pages, slices.Index(l.pages, p)+1, rest)
	}
}

func (l *listing) remove(v *instance) {
	p, at := l.find(v.name)
	p.items = slices.Delete(p.items, at, at+1)
	p.stale = true
	if len(p.items) == 0 {
		l.pages = slices.DeleteFunc(l.pages, func(q *page) bool { return q == p })
	}
	v.text = nil
}

// touch has v rendered anew for the next answer.
func (l *listing) touch(v *instance) {
	p, _ := l.find(v.name)
	p.stale = true
	v.text = nil
}

// each calls visit for every instance, in order.
func (l *listing) each(visit func(*instance)) {
	for _, p := range l.pages {
		for _, v := range p.items {
			visit(v)
		}
	}
}

// body returns the bulk answer, ready to send and safe to keep.
func (l *listing) body() [][]byte {
	parts := make([][]byte, 0, len(l.pages)+2)
	parts = append(parts, []byte("["))
	var scratch writer // for all pages of this answer; not kept, clusters are many
	for _, p := range l.pages {
		if p.stale {
			scratch = p.rebuild(scratch[:0])
		}
		switch {
		case len(p.text) == 0:
		case len(parts) == 1:
			parts = append(parts, p.text[len(", "):])
		default:
			parts = append(parts, p.text)
		}
	}
	return append(parts, []byte("]\n"))
}

// rebuild renders p by way of w, and returns w to be used again.
func (p *page) rebuild(w writer) writer {
	ends := make([]int, len(p.items))
	for i, v := range p.items {
		before := len(w)
		w.raw(", ")
		if v.text != nil {
			w = append(w, v.text...)
		} else {
			w = v.append(w)
		}
		if len(w) == before+len(", ") {
			w = w[:before] // edited away
		}
		ends[i] = len(w)
	}
	p.text, p.stale = slices.Clone(w), false
	start := 0
	for i, v := range p.items {
		v.text = p.text[min(start+len(", "), ends[i]):ends[i]:ends[i]]
		start = ends[i]
	}
	return w
}
