package updater

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"go.uber.org/zap"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// RefreshOptions say what to refresh. The zero value means: the kinds that are due.
type RefreshOptions struct {
	// All refreshes every scheduled kind, whatever is due and however the cluster failed before.
	All bool
	// Kinds refreshes these kinds and the cluster's own info, whatever is due; db.KindCluster alone means the info only.
	Kinds []db.Kind
	// Progress, when set, is called before each step with the number of steps done and in all, and after the last one.
	Progress func(step string, done, total int)
	// reader takes one of the places that readers have for themselves.
	reader bool
	// scheduled leaves clusters alone whose lease this process does not hold.
	scheduled bool
}

// Refresh brings one cluster's rows up to date: it waits for its turn (one refresh of a cluster at a time, and
// Options.Concurrency of all clusters that work rather than wait for an answer), fetches, compares and applies, and reports. It asks for no lease: who calls it
// wants the cluster refreshed now, by whomever. The error is [ErrUnknownCluster], [db.ErrRefreshedElsewhere] or that ctx
// ended while waiting; what went wrong with the cluster or the database is in the result.
func (u *Updater) Refresh(ctx context.Context, name string, o RefreshOptions) (Result, error) {
	return u.refresh(ctx, ctx, name, o)
}

// refresh waits for its turn until begin ends, and then works until work ends: a daemon that is told to stop begins
// nothing more, but lets what runs come to its end.
func (u *Updater) refresh(begin, work context.Context, name string, o RefreshOptions) (Result, error) {
	asked := time.Now()
	t, err := u.target(name)
	if err != nil {
		return Result{Cluster: name}, err
	}
	unclaim, claimErr := u.claim(begin)
	if errors.Is(claimErr, db.ErrRefreshedElsewhere) {
		return Result{Cluster: name}, claimErr
	}
	defer unclaim()
	work, leave, err := u.turn(begin, work, t, o)
	if err != nil || leave == nil {
		return Result{Cluster: name}, err
	}
	defer leave()
	lease := u.part.lease(t.id)
	if o.scheduled && lease == nil {
		return Result{Cluster: name}, nil
	}
	r := &run{u: u, t: t, opts: o, lease: lease, early: rand.Float64(), took: map[db.Kind]time.Duration{}, res: Result{Cluster: name, StartedAt: u.now().UTC()}}
	began := time.Now()
	r.do(work, claimErr)
	if errors.Is(r.res.Err(), db.ErrLeaseLost) {
		u.part.lose(lease)
	}
	r.res.Duration = time.Since(began)
	t.remember(r.res)
	if err := r.res.Err(); err != nil && clusterWide(err) && !nobodysTrouble(err) {
		t.outage.tell(err)
	}
	r.res.log(u.log)
	u.metrics.observe(r.res)
	u.metrics.phases(r, asked, placeIn(work).turned())
	u.forgetGone(name)
	if u.opts.OnResult != nil {
		u.opts.OnResult(r.res)
	}
	return r.res, nil
}

// turn waits for the cluster's own turn and for a place to work in. The functions of a place find it in the context that
// turn returns. leave is nil, without an error, when the refresh is not needed: somebody asks the cluster at this moment.
func (u *Updater) turn(begin, work context.Context, t *target, o RefreshOptions) (_ context.Context, leave func(), err error) {
	name := t.cluster.Name
	if o.scheduled && t.failed.Load() {
		// Its turn among those that failed comes first here: it may come late, and a reader need not wait for it.
		p, err := u.places.ask(begin, u.places.doubtful)
		if err != nil {
			return nil, nil, fmt.Errorf("waiting to try %s again: %w", name, err)
		}
		select {
		case t.busy <- struct{}{}:
			return u.enter(begin, work, t, p)
		default:
			p.leave()
			return nil, nil, nil
		}
	}
	if p := placeIn(work); p != nil { // of a question that led to this refresh
		p.Wait(true)
		err := acquire(begin, t.busy)
		if _, resumeErr := p.Resume(begin); err == nil && resumeErr != nil {
			release(t.busy)
			err = resumeErr
		}
		if err != nil {
			return nil, nil, fmt.Errorf("waiting for the refresh of %s that is running: %w", name, err)
		}
		return work, func() { release(t.busy) }, nil
	}
	// The cluster's own turn first: who waits for it must not hold a place that another cluster could use.
	if err := acquire(begin, t.busy); err != nil {
		return nil, nil, fmt.Errorf("waiting for the refresh of %s that is running: %w", name, err)
	}
	of := u.places.scheduled
	if o.reader {
		of = u.places.readers
	}
	p, err := u.places.ask(begin, of)
	if err != nil {
		release(t.busy)
		return nil, nil, fmt.Errorf("waiting to refresh %s: %w", name, err)
	}
	return u.enter(begin, work, t, p)
}

// enter is the last step of turn; the cluster's own turn is held.
func (u *Updater) enter(begin, work context.Context, t *target, p *place) (context.Context, func(), error) {
	leave := func() {
		p.leave()
		release(t.busy)
	}
	if err := p.enter(begin); err != nil {
		leave()
		return nil, nil, fmt.Errorf("waiting to refresh %s: %w", t.cluster.Name, err)
	}
	return context.WithValue(work, placeKey{}, p), leave, nil
}

// remember notes whether the next refresh has to begin with a probe.
func (t *target) remember(res Result) {
	for _, k := range res.Kinds {
		if k.Err != nil && nobodysTrouble(k.Err) {
			return
		}
		if k.Err != nil && clusterWide(k.Err) && !databaseTrouble(k.Err) {
			t.failed.Store(true)
			return
		}
	}
	if len(res.Kinds) > 0 {
		t.failed.Store(false)
	}
}

func acquire(ctx context.Context, turn chan struct{}) error {
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func release(turn chan struct{}) { <-turn }

// run is one refresh of one cluster. It owns the target while it lasts.
type run struct {
	u     *Updater
	t     *target
	opts  RefreshOptions
	kinds []kind
	fresh map[db.Kind]db.Freshness
	src   *measured
	// lease in whose name everything is written; nil when this process does not hold it.
	lease *db.Lease
	// proven is the address that has shown the cluster's uuid in this refresh; no answer of another one is believed.
	proven ganeti.Address
	// ahead are the records that are read while the cluster answers.
	ahead map[db.Kind]*readPrints
	// touches are the kinds that did not change; they are stamped fresh together, in one transaction.
	touches []db.Touch
	// applied are those that did change, as they were stamped with their rows; took is how long each answer took.
	applied []db.Touch
	took    map[db.Kind]time.Duration
	// early is drawn once, so that kinds that failed together are tried again together.
	early float64
	res   Result
}

// do is the refresh. With an error of the database it is over before it begins.
func (r *run) do(ctx context.Context, err error) {
	defer r.contain(ctx)
	var fresh map[db.Kind]db.Freshness
	if err == nil {
		fresh, err = r.u.opts.Store.Freshness(ctx, r.t.row.ID)
	}
	if err != nil {
		r.kinds = r.t.plan.scheduled()
		r.fail(ctx, &storeError{err})
		return
	}
	r.fresh = r.u.judge(r.t, fresh)
	r.recall()
	if r.kinds = r.choose(); len(r.kinds) == 0 && len(r.opts.Kinds) == 0 {
		return
	}
	if err := r.begin(ctx); err != nil {
		r.fail(ctx, err)
		return
	}
	defer r.readAhead(ctx)()
	for i, k := range r.kinds {
		r.progress(string(k.name), i+1)
		kr := r.refreshKind(ctx, k)
		r.res.Kinds = append(r.res.Kinds, kr)
		if kr.Err != nil && clusterWide(kr.Err) {
			// Asking on would cost a dead cluster one time-out for each kind.
			r.skip(r.kinds[i+1:], kr.Err)
			break
		}
	}
	r.finish(ctx)
	r.progress("done", len(r.kinds)+1)
}

// choose lists the kinds to refresh.
func (r *run) choose() []kind {
	switch {
	case len(r.opts.Kinds) > 0:
		return slices.DeleteFunc(kinds(), func(k kind) bool { return !slices.Contains(r.opts.Kinds, k.name) })
	case r.opts.All:
		return r.t.plan.scheduled()
	default:
		return r.t.plan.due(r.u.now(), r.fresh)
	}
}

// begin reaches the cluster and makes sure that it is the one on record.
func (r *run) begin(ctx context.Context) error {
	r.progress("cluster", 0)
	settings, err := r.t.cluster.Settings()
	if err != nil {
		return &settingsError{err}
	}
	if r.src, err = r.u.connect(r.res.Cluster, settings); err != nil {
		return &settingsError{err}
	}
	if err := r.recordCredentials(ctx, settings); err != nil {
		return err
	}
	kr := r.refreshInfo(ctx)
	if kr.Err != nil {
		return kr.Err
	}
	r.res.Kinds = append(r.res.Kinds, kr)
	return placeIn(ctx).prove(ctx)
}

// recordCredentials keeps the hash on record, which programs take from a cached object to find their own client, in step
// with settings that changed while the process runs, such as a new password in the same file.
func (r *run) recordCredentials(ctx context.Context, settings ganeti.Settings) error {
	hash, err := r.u.opts.Hash(settings)
	if err != nil {
		return &settingsError{err}
	}
	if hash == r.t.row.CredentialsHash || r.u.opts.DryRun {
		return nil
	}
	clusters, ids := r.u.clusters()
	rows, err := r.u.sync(ctx, clusters, ids)
	if err != nil {
		return &storeError{err}
	}
	// A row that has got the name meanwhile is for the next reload to take over; what was read so far is of this one.
	if row, ok := rows[r.t.cluster.Name]; ok && (row.ID == r.t.row.ID || r.t.row.ID == 0) {
		r.t.row = row
	}
	return nil
}

// fail gives every kind that was asked for, and the cluster itself, the same error.
func (r *run) fail(ctx context.Context, err error) {
	r.res.Kinds = append(r.res.Kinds, KindResult{Kind: db.KindCluster, Err: err})
	r.skip(r.kinds, err)
	r.recordFailures(ctx)
}

func (r *run) skip(ks []kind, err error) {
	for _, k := range ks {
		r.res.Kinds = append(r.res.Kinds, KindResult{Kind: k.name, Err: err})
	}
}

// finish stamps what was found unchanged and records what failed.
func (r *run) finish(ctx context.Context) {
	restamped := r.keepPace()
	if touches := slices.Concat(r.touches, restamped); len(touches) > 0 && !r.u.opts.DryRun {
		err := r.u.opts.Store.TouchFresh(ctx, r.t.row.ID, r.lease, touches)
		if errors.Is(err, db.ErrConflict) {
			// Another process has applied something newer: what we compared with is history, and so is our stamp.
			r.t.forget()
		} else if err != nil {
			r.markTouched(storing(err))
		}
	}
	if !r.u.opts.DryRun {
		r.correctTimes(ctx, slices.Concat(r.touches, r.applied))
	}
	r.recordFailures(ctx)
}

func (r *run) markTouched(err error) {
	for _, touch := range r.touches {
		for i := range r.res.Kinds {
			if r.res.Kinds[i].Kind == touch.Kind {
				r.res.Kinds[i].Err = err
			}
		}
	}
}

// recordFailures writes each distinct error to the freshness of its kinds, with the time of the next try. A withheld
// removal was recorded with the snapshot.
func (r *run) recordFailures(ctx context.Context) {
	byText := map[string][]db.Kind{}
	var errs []error
	for _, k := range r.res.Kinds {
		var withheld *WithheldError
		if k.Err == nil || errors.As(k.Err, &withheld) || nobodysTrouble(k.Err) {
			continue
		}
		if byText[k.Err.Error()] == nil {
			errs = append(errs, k.Err)
		}
		byText[k.Err.Error()] = append(byText[k.Err.Error()], k.Kind)
	}
	if r.u.opts.DryRun {
		return
	}
	if len(errs) == 0 {
		return
	}
	ticket, err := r.u.failureTicket(ctx, r.src)
	if err != nil {
		r.u.log.Debug("recording a failed refresh", zap.String("cluster", r.res.Cluster), zap.Error(err))
		return
	}
	for _, err := range errs {
		failures, recErr := r.u.opts.Store.RecordFailure(ctx, r.t.row.ID, db.Failure{
			Kinds: byText[err.Error()], AttemptedAt: ticket.At, Ticket: ticket.Number,
			Error: err.Error(), Reason: Reason(err), NextDue: r.nextTry,
			Lease: r.lease,
		})
		if errors.Is(recErr, db.ErrLeaseLost) {
			r.u.part.lose(r.lease)
		}
		if recErr != nil {
			// The refresh's own line names its error; this one would only say again that the database is away.
			r.u.log.Debug("recording a failed refresh", zap.String("cluster", r.res.Cluster), zap.Error(recErr))
			continue
		}
		if failures > r.res.Failures {
			r.res.Failures, r.res.NextDue = failures, r.nextTry(failures)
		}
	}
}

// nextTry counts all kinds by the cluster's own tick: a slow kind must not wait out its long interval because the
// cluster was away for a minute.
func (r *run) nextTry(failures int) time.Time {
	return r.t.plan.retry(r.u.now().UTC(), failures, r.early)
}

// contain turns a panic outside of a kind into a failure of this refresh.
func (r *run) contain(ctx context.Context) {
	if p := recover(); p != nil {
		r.t.forget()
		r.res.Kinds = nil
		r.fail(ctx, r.panicked(p))
	}
}

func (r *run) panicked(p any) *PanicError {
	err := &PanicError{Value: p, Stack: debug.Stack()}
	r.u.log.Debug("panic in a refresh", zap.String("cluster", r.res.Cluster), zap.ByteString("stack", err.Stack))
	return err
}

func (r *run) progress(step string, done int) {
	if r.opts.Progress != nil {
		r.opts.Progress(step, done, len(r.kinds)+1)
	}
}

// clusterWide says whether an error of one kind would meet the others too.
func clusterWide(err error) bool {
	if status, ok := errors.AsType[*ganeti.StatusError](err); ok {
		return slices.Contains([]int{401, 502, 503, 504}, status.Status)
	}
	return databaseTrouble(err) || slices.Contains([]string{"timeout", "slow", "tls", "unreachable", "moved", "canceled", "lease_lost", "crowded", reasonDuplicate}, Reason(err))
}

// nobodysTrouble says whether an error is no failure of the cluster or the database: the process is told to stop, another
// replica goes on with the cluster, or too many readers ask.
func nobodysTrouble(err error) bool {
	return slices.Contains([]string{"canceled", "lease_lost", "crowded"}, Reason(err))
}

// forget drops what the process remembers of the cluster's rows; the next refresh asks the database.
func (t *target) forget() {
	t.info = remembered[ganeti.Digest]{}
	clear(t.known)
}
