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
	seen, approved        int
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
	r.broken, r.keyless = 0, 0
	for _, o := range said {
		listed[o.UUID] = o.Flaw != keylessFlaw
		switch o.Flaw {
		case brokenFlaw:
			r.broken++
		case keylessFlaw:
			r.keyless++
		default:
			r.put(at, o)
		}
	}
	var absent []string
	for uuid, row := range r.rows {
		if !row.Deleted && !listed[uuid] && !row.at.After(at) {
			absent = append(absent, uuid)
		}
	}
	slices.Sort(absent)
	r.snapshotAt = at
	if len(absent) > 0 && (r.keyless > 0 || r.withheld(absent, live)) {
		return
	}
	for _, uuid := range absent {
		r.remove(at, uuid)
	}
	r.freshAt, r.pending, r.seen, r.approved = at, nil, 0, 0
}

// withheld says whether so much is missing that it is not believed yet.
func (r *record) withheld(absent []string, live int) bool {
	approved := r.approved
	many := len(absent) == live || len(absent) > r.maxObjects && len(absent)*100 > r.maxPct*live
	if !r.guarded || len(absent) <= approved || !many {
		return false
	}
	if !slices.Equal(absent, r.pending) {
		r.seen = 0
	}
	r.pending, r.seen, r.approved = absent, r.seen+1, 0
	return r.seen <= r.n
}

// observe takes in what the cluster said of one object; gone names one that it does not have. A newer complete answer
// has told of every object.
func (r *record) observe(at time.Time, o thing, gone string) {
	row := r.rows[gone]
	switch {
	case at.Before(r.snapshotAt):
	case gone == "":
		r.put(at, o)
	case row != nil && !row.Deleted && !row.at.After(at):
		r.remove(at, gone)
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
