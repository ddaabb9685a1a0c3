package updater

import (
	"context"
	"slices"
	"sync"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// known gives the record of the last answer: the remembered one while the database's rows are still of its generation,
// else one made of the digests in the database, in the order in which Ganeti lists what it has.
func (r *run) known(ctx context.Context, k db.Kind) (remembered[*ganeti.Index], error) {
	switch {
	case r.remembers(k):
		return r.t.known[k], nil
	case r.t.row.ID == 0:
		return remembered[*ganeti.Index]{}, nil
	}
	prints, err := r.prints(ctx, k)
	if err != nil {
		return remembered[*ganeti.Index]{}, &storeError{err}
	}
	slices.SortFunc(prints.Items, func(a, b db.Fingerprint) int { return ganeti.CompareNames(a.Name, b.Name) })
	items := make([]ganeti.Known, 0, len(prints.Items))
	for _, p := range prints.Items {
		// An item without a readable key is never on record: each snapshot that holds it must withhold its removals.
		if p.Key != "" {
			items = append(items, ganeti.Known{Key: p.Key, Digest: ganeti.Digest(p.Digest)})
		}
	}
	return remembered[*ganeti.Index]{ganeti.NewIndex(r.t.digests, items), prints.Generation, true}, nil
}

func (r *run) remembers(k db.Kind) bool {
	known := r.t.known[k]
	return known.ok && known.generation == r.fresh[k].Generation
}

// readPrints is a record that is being read, or was.
type readPrints struct {
	ready  chan struct{}
	prints db.Fingerprints
	err    error
}

// read reads the record, and contains a panic as the refresh's own goroutine would.
func (p *readPrints) read(fingerprints func() (db.Fingerprints, error), panicked func(any) error) {
	defer close(p.ready)
	defer func() {
		if v := recover(); v != nil {
			p.err = panicked(v)
		}
	}()
	p.prints, p.err = fingerprints()
}

// readAhead begins to read the records that are not remembered, in the order in which they are needed, while the cluster
// works on its answers. end stops it.
func (r *run) readAhead(ctx context.Context) (end func()) {
	r.ahead = map[db.Kind]*readPrints{}
	var kinds []db.Kind
	var reads []*readPrints
	for _, k := range r.kinds {
		if r.t.row.ID != 0 && !r.remembers(k.name) {
			p := &readPrints{ready: make(chan struct{})}
			r.ahead[k.name] = p
			kinds, reads = append(kinds, k.name), append(reads, p)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	id := r.t.row.ID
	var reader sync.WaitGroup
	reader.Go(func() {
		for i, p := range reads {
			p.read(func() (db.Fingerprints, error) { return r.u.opts.Store.Fingerprints(ctx, id, kinds[i]) }, func(v any) error { return r.panicked(v) })
		}
	})
	return func() {
		cancel()
		reader.Wait()
	}
}

// prints gives a record from the database. One that was read ahead is used once: who asks again has met a conflict and
// needs a newer one.
func (r *run) prints(ctx context.Context, k db.Kind) (db.Fingerprints, error) {
	p, ok := r.ahead[k]
	if !ok {
		return r.u.opts.Store.Fingerprints(ctx, r.t.row.ID, k)
	}
	delete(r.ahead, k)
	<-p.ready
	return p.prints, p.err
}
