package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"ganeticache/db"
	"ganeticache/ganeti/rapisim"
)

// trial is the trial of one database.
type trial struct {
	o     options
	d     database
	s     *score
	farm  *rapisim.Farm
	skies []*sky
	out   io.Writer
	dir   string
	rng   *rand.Rand

	// estimate is how long an undisturbed run takes after a storm of each sort.
	estimate map[storm]time.Duration

	// What follows is of the present database. known has every row ever seen in it.
	url, config string
	known       map[object]int64
	grants      map[int64]string
	history     history
	// generations counts the transactions that wrote rows until the last look.
	generations int64
}

func (t *trial) run(ctx context.Context) error {
	for _, s := range t.farm.Servers() {
		t.skies = append(t.skies, &sky{c: s.Cluster(), rng: t.rng})
	}
	if err := t.measure(ctx); err != nil {
		return fmt.Errorf("measuring undisturbed runs: %w", err)
	}
	for t.s.kills() < t.o.moments && ctx.Err() == nil {
		if err := t.round(ctx); err != nil {
			return fmt.Errorf("run %d: %w", t.s.runs, err)
		}
	}
	if pg, ok := t.d.(*postgres); ok && ctx.Err() == nil {
		return (&freezer{trial: t, pg: pg}).run(ctx)
	}
	return ctx.Err()
}

// measure does one undisturbed run after each sort of storm.
func (t *trial) measure(ctx context.Context) error {
	for _, w := range storms() {
		if err := t.strike(ctx, w); err != nil {
			return err
		}
		began := time.Now()
		if err := t.undisturbed(ctx); err != nil {
			return err
		}
		t.estimate[w] = time.Since(began)
		fmt.Fprintf(t.out, "%s: a run after %q takes %s\n", t.s.database, w, t.estimate[w].Round(time.Millisecond))
		if err := t.judge(ctx); err != nil {
			return err
		}
	}
	return nil
}

// strike brings a storm over all clusters, or makes an empty database.
func (t *trial) strike(ctx context.Context, w storm) error {
	if w == firstLoad {
		return t.beginAnew(ctx)
	}
	for _, y := range t.skies {
		if err := y.strike(w); err != nil {
			return fmt.Errorf("changing a cluster (%s): %w", w, err)
		}
	}
	return nil
}

func (t *trial) beginAnew(ctx context.Context) (err error) {
	if t.url, err = t.d.fresh(ctx); err != nil {
		return err
	}
	t.generations = 0
	t.known, t.grants, t.history = map[object]int64{}, map[int64]string{}, history{objects: map[object]*told{}}
	t.config, err = writeConfig(t.dir, t.url, t.farm, "refresh_budget: off\nschedules: {job: \"@every 5m\"}\n")
	return err
}

// undisturbed does one run that nobody kills.
func (t *trial) undisturbed(ctx context.Context) error {
	p, err := start(ctx, t.o.updater, "--config", t.config, "--once")
	if err != nil {
		return err
	}
	if err := p.finish(); err != nil {
		return err
	}
	_, err = t.d.settle(ctx)
	return err
}

// round is one kill and what follows it. One in eight hits the first load of an empty database.
func (t *trial) round(ctx context.Context) error {
	w := storms()[1+t.rng.IntN(len(storms())-1)]
	if t.rng.IntN(8) == 0 {
		w = firstLoad
	}
	moment := time.Duration(t.rng.Float64() * float64(t.estimate[w]))
	if err := t.strike(ctx, w); err != nil {
		return err
	}
	t.s.runs++
	lost := t.s.lost()
	h, err := t.kill(ctx, moment)
	if err != nil {
		return err
	}
	if !h.killed {
		t.estimate[w] = (t.estimate[w] + h.took) / 2
	}
	if err := t.inspect(ctx, &h); err != nil {
		return err
	}
	if err := t.undisturbed(ctx); err != nil {
		t.s.findf(&t.s.damage, "the next run fails: %v", err)
	}
	if err := t.judge(ctx); err != nil {
		return err
	}
	where := h.phase(t.generations)
	t.s.hits[where]++
	if t.s.lost() == lost {
		t.s.repaired++
	}
	if t.o.verbose {
		fmt.Fprintf(t.out, "%s %d: %s, killed after %s: %s\n", t.s.database, t.s.runs, w, moment.Round(time.Millisecond), where)
	}
	return nil
}

// hit is what was seen at the moment of a kill.
type hit struct {
	began           time.Time
	took            time.Duration
	killed, writing bool
	// before and atDeath count the transactions that had written rows when the run began and when it died.
	before, atDeath int64
}

// kill starts a run and kills it at the moment.
func (t *trial) kill(ctx context.Context, moment time.Duration) (hit, error) {
	h := hit{before: t.generations, began: time.Now()}
	p, err := start(ctx, t.o.updater, "--config", t.config, "--once")
	if err != nil {
		return h, err
	}
	h.killed, err = p.killAfter(moment, func() error {
		var err error
		h.writing, err = t.d.writing(ctx)
		return err
	})
	h.took = time.Since(h.began)
	if err != nil {
		return h, err
	}
	settled, err := t.d.settle(ctx)
	if err == nil && !settled {
		t.s.findf(&t.s.sessions, "sessions or locks of the killed process are still there after %s", patience)
	}
	return h, err
}

// phase says where a kill hit; all is the number of transactions once the next run had repaired everything.
func (h hit) phase(all int64) phase {
	switch {
	case !h.killed:
		return ended
	case h.writing:
		return writing
	case h.atDeath == h.before:
		return before
	case h.atDeath < all:
		return between
	default:
		return after
	}
}

// look reads the database as it is; one without tables is empty.
func (t *trial) look(ctx context.Context) (st *state, err error) {
	store, err := db.Open(ctx, t.url, db.Options{MaxConns: 2})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	err = store.CheckSchema(ctx)
	if errors.Is(err, db.ErrSchemaMissing) || errors.Is(err, db.ErrSchemaOld) {
		return &state{}, nil
	}
	if err != nil {
		return nil, err
	}
	return readState(ctx, store)
}

// inspect checks what a killed run left: whatever is there must be right, though not all need be there.
func (t *trial) inspect(ctx context.Context, h *hit) error {
	st, err := t.look(ctx)
	if err != nil {
		return err
	}
	truth, err := readTruth(ctx, t.farm)
	if err != nil {
		return err
	}
	h.atDeath = st.generations
	t.checkIdentity(st)
	for key, r := range st.rows {
		if _, exists := truth[key]; exists && r.deleted && t.known[key] != 0 && !t.absentBefore(key) {
			t.s.findf(&t.s.tombstones, "%s exists and is a tombstone", key)
		}
	}
	for key, at := range st.refreshed {
		if key.kind != db.KindCluster && !at.Before(h.began) {
			for _, why := range differences(st, truth, func(o object) bool { return o.kind == key.kind && o.cluster == key.cluster }) {
				t.s.findf(&t.s.stamps, "the %ss of %s are called fresh: %s", key.kind, key.cluster, why)
			}
		}
	}
	return nil
}

// absentBefore says that the log told of a removal before the storm: the object has returned, and the row waits for that.
func (t *trial) absentBefore(key object) bool {
	o := t.history.objects[key]
	return o != nil && !o.live
}

// judge checks the database after an undisturbed run: it must equal the clusters, and all that hangs on it be there.
func (t *trial) judge(ctx context.Context) (err error) {
	store, err := db.Open(ctx, t.url, db.Options{MaxConns: 2})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	st, err := readState(ctx, store)
	if err != nil {
		return err
	}
	truth, err := readTruth(ctx, t.farm)
	if err != nil {
		return err
	}
	for _, why := range differences(st, truth, func(object) bool { return true }) {
		t.s.findf(&t.s.rows, "%s", why)
	}
	t.generations = st.generations
	t.checkIdentity(st)
	wrong, err := t.history.read(ctx, store)
	if err != nil {
		return err
	}
	for _, why := range append(wrong, t.history.compare(st)...) {
		t.s.findf(&t.s.changes, "%s", why)
	}
	damage, err := t.d.intact(ctx, store)
	if err != nil {
		return err
	}
	for _, why := range damage {
		t.s.findf(&t.s.damage, "%s", why)
	}
	return t.grant(ctx, store, st)
}

// checkIdentity checks that each row ever seen is there under its id, with its grants, and notes the new ones.
func (t *trial) checkIdentity(st *state) {
	for key, id := range t.known {
		r, there := st.rows[key]
		switch {
		case !there:
			t.s.findf(&t.s.rows, "the row of %s is gone", key)
		case r.id != id:
			t.s.findf(&t.s.ids, "%s had the id %d and has %d", key, id, r.id)
		}
	}
	for key, r := range st.rows {
		if t.known[key] == 0 {
			t.known[key] = r.id
		}
	}
	for id, subject := range t.grants {
		if st.grants[id] != subject {
			t.s.findf(&t.s.grants, "the grant of %s on VM %d is gone", subject, id)
		}
	}
}

// grantsEach is how many grants are added after each run.
const grantsEach = 5

// grant gives somebody a permission on some VMs.
func (t *trial) grant(ctx context.Context, store *db.Store, st *state) error {
	var live []object
	for key, r := range st.rows {
		if key.kind == db.KindVM && !r.deleted && t.grants[r.id] == "" {
			live = append(live, key)
		}
	}
	slices.SortFunc(live, func(a, b object) int { return int(st.rows[a].id - st.rows[b].id) })
	for range min(grantsEach, len(live)) {
		key := live[t.rng.IntN(len(live))]
		g := db.Grant{Subject: "user of " + key.uuid, Permission: "admin", Cluster: key.cluster, VM: key.uuid}
		if _, err := store.Grant(ctx, g); err != nil {
			return err
		}
		t.grants[st.rows[key].id] = g.Subject
	}
	return nil
}

// differences says how the rows of the chosen objects differ from the truth, a line for each.
func differences(st *state, truth map[object]content, chosen func(object) bool) []string {
	var wrong []string
	for key, want := range truth {
		r, there := st.rows[key]
		switch {
		case !chosen(key):
		case !there:
			wrong = append(wrong, key.String()+" has no row")
		case r.deleted:
			wrong = append(wrong, key.String()+" exists and is a tombstone")
		case r.content != want:
			wrong = append(wrong, fmt.Sprintf("%s is %v in the database, %v in the cluster", key, r.content, want))
		}
	}
	for key, r := range st.rows {
		if _, exists := truth[key]; !exists && !r.deleted && chosen(key) {
			wrong = append(wrong, key.String()+" is live in the database, and the cluster does not have it")
		}
	}
	slices.Sort(wrong)
	return wrong
}
