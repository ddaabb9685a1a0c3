package updater_test

import (
	"slices"
	"time"
)

// record is the model: what the database must hold of one kind of one cluster. It knows nothing of digests, generations,
// transactions or memory; it is moved on by what the cluster has said and nothing else.
type record struct {
	guarded               bool
	rows                  map[string]*recordRow
	snapshotAt, freshAt   time.Time
	broken, keyless       int
	pending               []string
	seen                  int
	approved              map[string]bool
	singles               int // removed one by one since snapshotAt
	before, objects       int // live when removals began to be withheld; in the last answer
	changes               []string
	maxObjects, maxPct, n int
}

// recordRow is a row and the time of what last told of it.
type recordRow struct {
	row
	at time.Time
}

// accept takes in a complete answer, begun at that time.
func (r *record) accept(at time.Time, said []thing) {
	listed, live := map[string]bool{}, 0
	for _, row := range r.rows {
		if !row.Deleted {
			live++
		}
	}
	r.broken, r.keyless, r.singles, r.objects = 0, 0, 0, len(said)
	room, refused := 1<<30, 0
	if r.guarded && len(r.pending) > 0 {
		room = 2*max(r.before, len(said)) + r.maxObjects - live
	}
	for _, o := range said {
		listed[o.UUID] = o.Flaw != keylessFlaw
		switch {
		case o.Flaw == brokenFlaw:
			r.broken++
		case o.Flaw == keylessFlaw:
			r.keyless++
		case r.rows[o.UUID] == nil && room <= 0:
			refused++
		default:
			if r.rows[o.UUID] == nil {
				room--
			}
			r.put(at, o)
		}
	}
	var absent, approved []string
	for uuid, row := range r.rows {
		if !row.Deleted && !listed[uuid] && !row.at.After(at) {
			absent = append(absent, uuid)
		}
	}
	slices.Sort(absent)
	r.snapshotAt = at
	if len(absent) > 0 && r.keyless > 0 {
		return
	}
	if r.guarded && len(absent) > 0 {
		rest := slices.DeleteFunc(slices.Clone(absent), func(uuid string) bool { return r.approved[uuid] })
		approved = slices.DeleteFunc(slices.Clone(absent), func(uuid string) bool { return !r.approved[uuid] })
		r.approved = nil
		if len(rest) > 0 && r.withheld(rest, len(approved), live, refused) {
			for _, uuid := range approved {
				r.remove(at, uuid)
			}
			return
		}
	}
	for _, uuid := range absent {
		r.remove(at, uuid)
	}
	r.pending, r.seen = nil, 0
	if refused == 0 {
		r.freshAt, r.approved = at, nil
	}
}

// withheld says whether so much is missing that it is not believed yet.
func (r *record) withheld(absent []string, approved, live, refused int) bool {
	if !r.many(len(absent), live) && approved == 0 {
		return false
	}
	same := slices.Equal(absent, r.pending)
	if len(r.pending) == 0 {
		r.before = live
	}
	switch {
	case refused > 0:
		r.seen = max(1, r.seen)
	case same:
		r.seen++
	default:
		r.seen = 1
	}
	r.pending = absent
	return r.seen <= r.n
}

// many says whether losing so many is suspicious.
func (r *record) many(lost, live int) bool {
	return lost == live || lost > r.maxObjects && lost*100 > r.maxPct*live
}

// observe takes in what the cluster said of one object; gone names one that it does not have. A newer complete answer
// has told of every object, and one has to confirm more than the guard lets pass.
func (r *record) observe(at time.Time, o thing, gone string) {
	row := r.rows[gone]
	live := 0
	for _, one := range r.rows {
		if !one.Deleted {
			live++
		}
	}
	switch {
	case at.Before(r.snapshotAt):
	case gone == "":
		before := 0
		if len(r.pending) > 0 {
			before = r.before
		}
		if r.rows[o.UUID] != nil || live < 2*max(before, r.objects)+r.maxObjects {
			r.put(at, o)
		}
	case row != nil && !row.Deleted && !row.at.After(at):
		if len(r.pending) == 0 && (!r.many(r.singles+1, live+r.singles) || r.n == 0) {
			r.singles++
			r.remove(at, gone)
		}
	}
}

// put makes the row what the cluster said, unless something newer is known.
func (r *record) put(at time.Time, o thing) {
	old, op := r.rows[o.UUID], "updated"
	switch {
	case old == nil:
		old, op = &recordRow{}, "created"
		r.rows[o.UUID] = old
	case old.at.After(at):
		return
	case old.Deleted:
		op = "restored"
	case old.Name != o.Name:
		op = "renamed"
	case old.Status == o.Status:
		op = ""
	}
	old.row, old.at = row{ID: old.ID, UUID: o.UUID, Name: o.Name, Status: o.Status}, at
	r.note(op, o.UUID)
}

func (r *record) remove(at time.Time, uuid string) {
	r.rows[uuid].Deleted, r.rows[uuid].at = true, at
	r.note("removed", uuid)
}

func (r *record) note(op, uuid string) {
	if op != "" {
		r.changes = append(r.changes, op+" "+uuid)
	}
}
