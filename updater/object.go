package updater

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// object is one cached object that is to be asked about.
type object struct {
	cluster    string
	clusterID  int64
	kind       db.Kind
	uuid, name string
}

func (o object) label() string {
	if o.name != "" {
		return o.name
	}
	return o.uuid
}

// readingTime bounds how long a process that died keeps others from refreshing a cluster for their readers.
const readingTime = 30 * time.Second

// readingPoll is how often a reader looks whether another process has done its work.
const readingPoll = 50 * time.Millisecond

// refreshObject brings one row up to date. All callers that want the same object at the same time share one call.
func (r *Reader) refreshObject(ctx context.Context, o object, opts readOptions) error {
	key := fmt.Sprintf("%d/%s/%s/%s", o.clusterID, o.kind, o.uuid, o.name)
	return r.share(ctx, o.cluster, key, opts, func(ctx context.Context, asked db.Ticket) error {
		if err := r.backingOff(ctx, o.clusterID, o.kind, opts); err != nil {
			return err
		}
		return r.underReading(ctx, o.clusterID, func(ctx context.Context) (bool, error) {
			return r.observed(ctx, o, opts, asked)
		}, func(ctx context.Context) error { return r.u.refreshObject(ctx, r.store, o) })
	})
}

// share runs do once for all callers with the same key; see flights. It goes on when the caller that began it leaves; each
// caller waits as long as it likes, but no longer than it takes anybody to find out that the cluster does not answer. do
// gets a ticket that was drawn when all its callers had come: what is newer than that, whoever saw it, is what they want.
func (r *Reader) share(
	ctx context.Context, cluster, key string, opts readOptions, do func(context.Context, db.Ticket) error,
) error {
	if r.frozen != nil {
		return r.frozen
	}
	_, err := r.flights.join(key, opts.must, func() (any, error) {
		return nil, r.u.unlessDown(context.WithoutCancel(ctx), cluster, func(ctx context.Context) error {
			var asked db.Ticket
			if opts.must {
				var err error
				if asked, err = r.u.ticket(ctx); err != nil {
					return err
				}
			}
			return do(ctx, asked)
		})
	}).wait(ctx)
	return err
}

// rememberedError is what a cluster failed with the last time, with the label that it had.
type rememberedError struct {
	error

	reason string
}

func (e *rememberedError) Unwrap() error { return e.error }

// backingOff gives the remembered error of a cluster that failed and is not due again; a caller that insists is not held
// back.
func (r *Reader) backingOff(ctx context.Context, clusterID int64, k db.Kind, opts readOptions) error {
	if opts.must {
		return nil
	}
	fresh, err := r.store.Freshness(ctx, clusterID)
	if err != nil {
		return &storeError{err}
	}
	if t, err := r.u.targetByID(clusterID); err == nil {
		fresh = r.u.judge(t, fresh)
	}
	now := r.u.now()
	for _, kind := range []db.Kind{db.KindCluster, k} {
		if f := fresh[kind]; f.ConsecutiveFailures > 0 && f.NextDueAt != nil && f.NextDueAt.After(now) {
			return &rememberedError{
				reason: f.ErrorReason,
				error:  fmt.Errorf("%w (in %s): %s", errBackingOff, f.NextDueAt.Sub(now).Round(time.Second), f.Error),
			}
		}
	}
	return nil
}

// underReading runs do while this process has the right to ask the cluster for its readers, so that of several processes one asks the cluster.
// While another has it, done is asked whether that one has already done what is wanted. Within the process, a cluster is
// asked about one thing at a time anyway.
func (r *Reader) underReading(ctx context.Context, clusterID int64, done func(context.Context) (bool, error), do func(context.Context) error) error {
	gate, _ := r.gates.LoadOrStore(clusterID, make(chan struct{}, 1))
	turn, _ := gate.(chan struct{})
	if err := acquire(ctx, turn); err != nil {
		return err
	}
	defer release(turn)
	for {
		reading, got, err := r.store.BeginReading(ctx, clusterID, r.holder, readingTime)
		if err != nil {
			return &storeError{err}
		}
		if got {
			// Somebody may have done it between our look and our turn.
			ok, err := done(ctx)
			if !ok && err == nil {
				err = do(ctx)
			}
			if releaseErr := r.store.EndReading(ctx, reading); releaseErr != nil && err == nil {
				err = &storeError{releaseErr}
			}
			return err
		}
		if ok, err := done(ctx); ok || err != nil {
			return err
		}
		select {
		case <-time.After(readingPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// observed says whether somebody has asked about the object meanwhile: lately enough for the reader, or, for one that
// insists, by a request that was sent after his was there.
func (r *Reader) observed(ctx context.Context, o object, opts readOptions, asked db.Ticket) (bool, error) {
	fresh, err := r.store.Freshness(ctx, o.clusterID)
	if err != nil {
		return false, &storeError{err}
	}
	if r.satisfied(fresh[o.kind], opts, asked) {
		return true, nil
	}
	if o.kind != db.KindVM {
		return false, nil
	}
	v, err := r.store.VM(ctx, db.VMRef{Cluster: o.cluster, UUID: o.uuid, Name: o.name}, nil)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return false, nil
	case err != nil:
		return false, &storeError{err}
	}
	if opts.must {
		return v.Ticket > asked.Number, nil
	}
	return !opts.stale(&v.ObservedAt, r.u.now()), nil
}

// satisfied says whether a complete answer on record is what a reader wants. One whose removals were withheld is not.
func (r *Reader) satisfied(f db.Freshness, opts readOptions, asked db.Ticket) bool {
	if opts.must {
		return f.SnapshotTicket > asked.Number && f.RefreshedAt != nil && f.SnapshotAt != nil && f.RefreshedAt.Equal(*f.SnapshotAt)
	}
	return !opts.stale(f.RefreshedAt, r.u.now())
}

// refreshObject asks a cluster about one object and stores the answer. A failure is remembered in the freshness of its
// kind.
func (u *Updater) refreshObject(ctx context.Context, store ReadStore, o object) error {
	t, err := u.target(o.cluster)
	if err != nil {
		return err
	}
	ctx, leave, err := u.places.question(ctx)
	if err != nil {
		return fmt.Errorf("waiting to ask %s: %w", o.cluster, err)
	}
	defer leave()
	q := &question{u: u, store: store, o: o, digests: t.digests}
	err = q.ask(ctx, t.cluster)
	u.forgetGone(o.cluster)
	if err == nil || nobodysTrouble(err) || databaseTrouble(err) {
		return err
	}
	if _, withheld := errors.AsType[*WithheldError](err); withheld {
		return err // on record with the complete answer
	}
	if clusterWide(err) {
		defer t.outage.tell(err) // when the failure is on record
	}
	ticket, ticketErr := u.failureTicket(ctx, q.src)
	if ticketErr != nil {
		return errors.Join(err, ticketErr)
	}
	now := u.now().UTC()
	_, recErr := store.RecordFailure(ctx, o.clusterID, db.Failure{
		Kinds: []db.Kind{o.kind}, AttemptedAt: ticket.At, Ticket: ticket.Number, Error: err.Error(), Reason: Reason(err),
		NextDue: func(failures int) time.Time { return t.plan.retry(now, failures, 0) },
	})
	if recErr != nil {
		return errors.Join(err, &storeError{recErr})
	}
	return err
}

// question is one object of one cluster being asked about.
type question struct {
	u     *Updater
	store ReadStore
	o     object
	src   *measured
	// digests is the hasher of the object's cluster.
	digests ganeti.Hasher
}

func (q *question) ask(ctx context.Context, c Cluster) error {
	settings, err := c.Settings()
	if err != nil {
		return &settingsError{err}
	}
	if q.src, err = q.u.connect(q.o.cluster, settings); err != nil {
		return &settingsError{err}
	}
	k, ok := kindOf(q.o.kind)
	if !ok {
		return fmt.Errorf("kind %s has no single objects", q.o.kind)
	}
	k.redact, k.digests = q.u.opts.Redact, q.digests
	a, err := q.src.Item(ctx, k.resource, q.o.label())
	if err != nil && !errors.Is(err, ganeti.ErrNotFound) {
		return err
	}
	named := q.src.ticket
	if err == nil {
		it := k.item(a.Body)
		if it.Row != nil && it.Key == q.o.uuid {
			return q.observe(ctx, named, db.Observation{Item: it})
		}
	}
	// Nothing of that name, or another object: renamed, removed, made anew, or another cluster behind the address.
	if k.name != db.KindVM {
		return q.refreshKind(ctx)
	}
	return q.askByUUID(ctx, k, a, named)
}

// askByUUID settles what became of a VM whose name no longer leads to it. named is what answers to the name now, if
// anything does, and asked the ticket of that answer.
func (q *question) askByUUID(ctx context.Context, k kind, named ganeti.Answer, asked db.Ticket) error {
	proven, err := q.sameCluster(ctx)
	if err != nil {
		return err
	}
	if named.Body != nil {
		if err := sameAddress(proven, named.Address); err != nil {
			return err
		}
		it := k.item(named.Body)
		if it.Row == nil {
			return fmt.Errorf("the answer about %s cannot be stored: %s", q.o.label(), it.Reason)
		}
		if err := q.observe(ctx, asked, db.Observation{Item: it}); err != nil {
			return err
		}
	}
	if q.o.uuid == "" {
		return nil
	}
	a, err := q.src.Item(ctx, k.resource, q.o.uuid)
	switch {
	case errors.Is(err, ganeti.ErrNotFound):
		if err := sameAddress(proven, refusedBy(err)); err != nil {
			return err
		}
		return q.observe(ctx, q.src.ticket, db.Observation{Gone: q.o.uuid})
	case err != nil:
		return err
	}
	if err := sameAddress(proven, a.Address); err != nil {
		return err
	}
	it := k.item(a.Body)
	if it.Row == nil {
		return fmt.Errorf("the answer about %s cannot be stored: %s", q.o.uuid, it.Reason)
	}
	return q.observe(ctx, q.src.ticket, db.Observation{Item: it})
}

// sameCluster makes sure that the cluster on record answers, before its silence about an object is believed, and gives
// the address at which it does.
func (q *question) sameCluster(ctx context.Context) (ganeti.Address, error) {
	row, err := q.store.ClusterByName(ctx, q.o.cluster)
	if err == nil && row.UUID == "" {
		// Whether it is cached under another name is settled by what it says of itself.
		if err := q.refreshInfo(ctx); err != nil {
			return ganeti.Address{}, err
		}
		row, err = q.store.ClusterByName(ctx, q.o.cluster)
	}
	if err != nil {
		return ganeti.Address{}, &storeError{err}
	}
	a, err := q.src.Info(ctx)
	if err != nil {
		return ganeti.Address{}, err
	}
	info, err := ganeti.DecodeInfo(a.Body)
	if err != nil {
		return ganeti.Address{}, err
	}
	if row.UUID != "" && row.UUID != info.UUID {
		distrust(q.src, a.Address)
		return ganeti.Address{}, &OtherClusterError{Want: row.UUID, Got: info.UUID}
	}
	return a.Address, nil
}

// refreshKind settles it by one bulk call: nodes, groups and networks are few, and RAPI does not know them by uuid.
func (q *question) refreshKind(ctx context.Context) error { return q.refresh(ctx, q.o.kind) }

// refreshInfo stores what the cluster says of itself.
func (q *question) refreshInfo(ctx context.Context) error { return q.refresh(ctx, db.KindCluster) }

func (q *question) refresh(ctx context.Context, k db.Kind) error {
	res, err := q.u.Refresh(ctx, q.o.cluster, RefreshOptions{Kinds: []db.Kind{k}, reader: true})
	if err != nil {
		return err
	}
	return res.Err()
}

func (q *question) observe(ctx context.Context, asked db.Ticket, o db.Observation) error {
	o.StartedAt, o.Ticket = asked.At, asked.Number
	o.ClusterID, o.Kind = q.o.clusterID, q.o.kind
	o.Guard = func(r db.Removals) db.Decision { return q.u.opts.Guard.Decide(o.Kind, r) }
	o.MaxLive = q.u.opts.Guard.MaxLive
	out, err := q.store.Observe(ctx, o)
	switch {
	case err != nil:
		return storing(err)
	case len(out.Withheld)+len(out.Refused) == 0:
		return nil
	case out.Error != "":
		// A complete answer was not believed already: single ones say no more than that.
		return &WithheldError{Kind: o.Kind, Absent: len(out.Withheld), Why: out.Reason, text: out.Error}
	}
	// So many at once are for a complete answer to confirm, and for the guard to judge.
	return q.refreshKind(ctx)
}

// kindOf finds a kind by its name.
func kindOf(name db.Kind) (kind, bool) {
	for _, k := range kinds() {
		if k.name == name {
			return k, true
		}
	}
	return kind{}, false
}
