package updater

import (
	"context"
	"slices"
	"sync"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// known gives the record of the last answer: the remembered one while the database's rows are still of its generation,
// else one made of the digests in the database.
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
	items := make([]ganeti.Known, 0, len(prints.Items))
	for _, p := range prints.Items {
		// An item without a readable key is never on record: each snapshot that holds it must withhold its removals.
		if p.Key != "" {
			items = append(items, ganeti.Known{Key: p.Key, Digest: ganeti.Digest(p.Digest)})
		}
	}
	return remembered[*ganeti.Index]{ganeti.NewIndex(r.t.digests, items), prints.Generation, true}, nil
}

// knownInfo gives the digest of the cluster's info on record; that of a cluster that never answered is not ok.
func (r *run) knownInfo(ctx context.Context) (known remembered[ganeti.Digest], err error) {
	if r.remembers(db.KindCluster) {
		return r.t.info, nil
	}
	if r.t.row.ID == 0 {
		return known, nil
	}
	prints, err := r.prints(ctx, db.KindCluster)
	if err != nil {
		return known, &storeError{err}
	}
	for _, p := range prints.Items {
		known = remembered[ganeti.Digest]{ganeti.Digest(p.Digest), prints.Generation, true}
	}
	return known, nil
}

func (r *run) remembers(k db.Kind) bool {
	generation := r.fresh[k].Generation
	if k == db.KindCluster {
		return r.t.info.ok && r.t.info.generation == generation
	}
	known := r.t.known[k]
	return known.ok && known.generation == generation
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
// works on its answers: one that has answered once, since hundreds of others may hang. end stops it.
func (r *run) readAhead(ctx context.Context) (end func()) {
	r.ahead = map[db.Kind]*readPrints{}
	var kinds []db.Kind
	for _, k := range r.kinds {
		kinds = append(kinds, k.name)
	}
	kinds = slices.DeleteFunc(kinds, func(k db.Kind) bool { return r.t.row.ID == 0 || r.remembers(k) })
	var reads []*readPrints
	for _, k := range kinds {
		p := &readPrints{ready: make(chan struct{})}
		r.ahead[k] = p
		reads = append(reads, p)
	}
	ctx, cancel := context.WithCancel(ctx)
	id := r.t.row.ID
	var reader sync.WaitGroup
	reader.Go(func() {
		for i, p := range reads {
			p.read(func() (db.Fingerprints, error) {
				if err := r.u.places.reading.take(ctx, false); err != nil {
					return db.Fingerprints{}, err
				}
				defer r.u.places.reading.give()
				return r.u.opts.Store.Fingerprints(ctx, id, kinds[i])
			}, func(v any) error { return r.panicked(v) })
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
