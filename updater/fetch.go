package updater

import (
	"context"
	"errors"
	"iter"
	"slices"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// refreshInfo fetches /2/info, checks that it is the cluster on record, and applies it if it changed.
func (r *run) refreshInfo(ctx context.Context) (kr KindResult) {
	kr.Kind = db.KindCluster
	a, err := r.src.Info(ctx)
	if err != nil {
		kr.Err = err
		return kr
	}
	r.proven = a.Address
	kr.Objects, kr.Bytes, kr.Duration = 1, a.Bytes, a.Duration
	r.took[db.KindCluster] = a.Duration
	digest := r.t.digests.Digest(a.Body)
	known, err := r.knownInfo(ctx)
	if err != nil {
		kr.Err = err
		return kr
	}
	if known.ok && known.value == digest {
		if kr.Err = r.stillDuplicate(ctx); kr.Err != nil {
			return kr
		}
		r.t.info = known
		r.touches = append(r.touches, db.Touch{
			Kind: db.KindCluster, StartedAt: a.StartedAt, Ticket: r.src.ticket.Number, Duration: a.Duration, Bytes: a.Bytes, Objects: 1,
			Generation: known.generation,
		})
		kr.Err = r.recordServing(ctx, a.Address, false)
		return kr
	}
	if kr.Outcome, kr.Err = r.applyInfo(ctx, a, digest); Reason(kr.Err) == "other_cluster" {
		distrust(r.src, a.Address)
	}
	if kr.Err == nil {
		kr.Err = r.recordServing(ctx, a.Address, true)
	}
	return kr
}

func (r *run) applyInfo(ctx context.Context, a ganeti.Answer, digest ganeti.Digest) (db.Outcome, error) {
	info, err := ganeti.DecodeInfo(a.Body)
	if err != nil {
		return db.Outcome{}, err
	}
	row := &r.t.row
	if row.UUID != "" && row.UUID != info.UUID {
		return db.Outcome{}, &OtherClusterError{Want: row.UUID, Got: info.UUID}
	}
	body, err := r.u.opts.Redact.Storable(a.Body)
	if err != nil {
		return db.Outcome{}, err
	}
	if r.u.opts.DryRun {
		if err := r.pretendSingle(ctx, info.UUID); err != nil {
			return db.Outcome{}, err
		}
	}
	if row.ID == 0 {
		return db.Outcome{Created: 1}, nil // a dry run of a cluster that has no row yet
	}
	out, err := r.u.opts.Store.ApplyInfo(ctx, db.ClusterInfo{
		ClusterID: row.ID, StartedAt: a.StartedAt, Ticket: r.src.ticket.Number, Duration: a.Duration, Bytes: a.Bytes,
		NextDue: r.due(db.KindCluster, a.StartedAt),
		UUID:    info.UUID, GanetiName: info.Name, SoftwareVersion: info.SoftwareVersion, MasterNode: info.Master,
		Tags: info.Tags, Info: body, Digest: digest,
		Lease: r.lease, DryRun: r.u.opts.DryRun, Explain: r.u.opts.Explain, AllowDuplicate: r.t.cluster.AllowDuplicate,
	})
	switch {
	case errors.Is(err, db.ErrConflict) && row.UUID == "":
		return out, &supersededError{err} // nobody has compared the uuid of this answer with the one on record
	case errors.Is(err, db.ErrConflict):
		return out, nil // another process has stored a newer answer
	case err != nil:
		return out, storing(err)
	}
	if !r.u.opts.DryRun {
		row.UUID = info.UUID
		r.applied = append(r.applied, db.Touch{
			Kind: db.KindCluster, StartedAt: a.StartedAt, Ticket: r.src.ticket.Number, Duration: a.Duration, Bytes: a.Bytes, Objects: 1,
			NextDue: r.due(db.KindCluster, a.StartedAt), Generation: out.Generation,
		})
		r.t.info = remembered[ganeti.Digest]{value: digest, generation: out.Generation, ok: true}
	}
	return out, nil
}

// refreshKind fetches one kind and applies what changed. When another process has written to the same rows meanwhile, it
// starts over once, from the database's record.
func (r *run) refreshKind(ctx context.Context, k kind) (kr KindResult) {
	kr.Kind = k.name
	k.redact, k.digests = r.u.opts.Redact, r.t.digests
	defer func() {
		if p := recover(); p != nil {
			r.t.forget()
			kr.Err = r.panicked(p)
		}
	}()
	for range 2 {
		kr.Err = nil
		known, err := r.known(ctx, k.name)
		if err != nil {
			kr.Err = err
			return kr
		}
		delta, err := r.src.Bulk(ctx, k.resource, known.value)
		if r.notServed(k, err, known.value) {
			// As if it had none. It is asked again at its next turn: the version may be another one then.
			r.touches = append(r.touches, db.Touch{
				Kind: k.name, StartedAt: r.src.ticket.At, Ticket: r.src.ticket.Number, Generation: known.generation,
			})
			return kr
		}
		if err != nil {
			kr.Err = err
			return kr
		}
		if kr.Err = sameAddress(r.proven, delta.Address); kr.Err != nil {
			return kr
		}
		kr.Objects, kr.Bytes, kr.Duration = delta.Items, delta.Bytes, delta.Duration
		kr.changed = delta.Changed()
		r.took[k.name] = delta.Duration
		if delta.Unchanged() {
			r.t.known[k.name] = remembered[*ganeti.Index]{delta.Index(nil, nil), known.generation, true}
			r.touches = append(r.touches, db.Touch{
				Kind: k.name, StartedAt: delta.StartedAt, Ticket: r.src.ticket.Number, Duration: delta.Duration, Bytes: delta.Bytes,
				Objects: delta.Items, Generation: known.generation,
			})
			return kr
		}
		kr.Outcome, kr.Err = r.apply(ctx, k, delta, known.generation)
		if n := kr.Outcome.Quarantined; n > 0 && n == kr.Objects {
			kr.Unreadable = kr.Outcome.Unread
		}
		if !errors.Is(kr.Err, db.ErrConflict) {
			return kr
		}
		delete(r.t.known, k.name)
	}
	kr.Err = &supersededError{kr.Err}
	return kr
}

// notServed says that the cluster's version of Ganeti does not have the resource, and never had it: groups came with 2.4,
// networks with 2.7. Where there is something on record, a 404 is trouble.
func (r *run) notServed(k kind, err error, known *ganeti.Index) bool {
	return (k.name == db.KindGroup || k.name == db.KindNetwork) && errors.Is(err, ganeti.ErrNotFound) &&
		sameAddress(r.proven, refusedBy(err)) == nil && (known == nil || known.Len() == 0)
}

// apply writes the difference and remembers the answer as the new record.
func (r *run) apply(ctx context.Context, k kind, delta *ganeti.Delta, generation int64) (db.Outcome, error) {
	if r.t.row.ID == 0 {
		return r.pretend(k, delta), nil
	}
	if delta.Changed() > frugalItems || delta.Bytes > frugalItemBytes*int64(delta.Items) {
		r.u.frugal.begin()
		defer r.u.frugal.end()
	}
	keys := make([]string, delta.Changed())
	s := db.Snapshot{
		ClusterID: r.t.row.ID, Kind: k.name, StartedAt: delta.StartedAt, Ticket: r.src.ticket.Number, Duration: delta.Duration,
		Bytes: delta.Bytes, Objects: delta.Items, NextDue: r.due(k.name, delta.StartedAt),
		Generation: generation, Changed: items(k, delta, keys), Missing: delta.Missing(),
		Lease: r.lease, DryRun: r.u.opts.DryRun, Explain: r.u.opts.Explain,
	}
	if !k.expires {
		s.Guard = func(rm db.Removals) db.Decision {
			return r.u.opts.Guard.Decide(k.name, rm)
		}
		s.MaxLive = r.u.opts.Guard.MaxLive
	}
	out, err := r.u.opts.Store.Apply(ctx, s)
	if err != nil {
		return out, storing(err)
	}
	if !r.u.opts.DryRun {
		r.remember(k.name, delta, keys, out)
	}
	if out.Error != "" {
		return out, &WithheldError{Kind: k.name, Absent: len(out.Withheld), Why: out.Reason, text: out.Error}
	}
	r.applied = append(r.applied, db.Touch{
		Kind: k.name, StartedAt: s.StartedAt, Ticket: s.Ticket, Duration: s.Duration, Bytes: s.Bytes, Objects: s.Objects, NextDue: s.NextDue,
		Generation: out.Generation,
	})
	return out, nil
}

// remember keeps the answer as the record for the next one. A row that was left alone because a newer observation wrote
// it is not on record, so that its item is looked at again; it and the withheld ones are missing until seen.
func (r *run) remember(k db.Kind, delta *ganeti.Delta, keys []string, out db.Outcome) {
	if len(out.Skipped)+len(out.Refused) > 0 {
		skipped := make(map[string]bool, len(out.Skipped)+len(out.Refused))
		for _, key := range slices.Concat(out.Skipped, out.Refused) {
			skipped[key] = true
		}
		for i, key := range keys {
			if skipped[key] {
				keys[i] = ""
			}
		}
	}
	ghosts := append(out.Withheld, out.Skipped...) //nolint:gocritic // the outcome's own slice is not used again
	r.t.known[k] = remembered[*ganeti.Index]{delta.Index(keys, ghosts), out.Generation, true}
}

// items decodes the changed items one by one, as the store asks for them, and notes each one's key.
func items(k kind, delta *ganeti.Delta, keys []string) iter.Seq[db.Item] {
	return func(yield func(db.Item) bool) {
		for i, raw := range delta.Each() {
			it := k.item(raw)
			keys[i] = it.Key
			if !yield(it) {
				return
			}
		}
	}
}

// pretend counts what a first refresh would create, for a dry run of a cluster that has no row yet.
func (r *run) pretend(k kind, delta *ganeti.Delta) db.Outcome {
	var out db.Outcome
	for it := range items(k, delta, make([]string, delta.Changed())) {
		if it.Row == nil {
			if out.Quarantined++; out.Quarantined == 1 {
				out.Unread = it.Reason
			}
			continue
		}
		out.Created++
		if r.u.opts.Explain {
			out.Changes = append(out.Changes, db.Change{
				Kind: k.name, UUID: it.Key, Name: it.Name, Op: db.OpCreated, ObservedAt: delta.StartedAt,
			})
		}
	}
	return out
}
