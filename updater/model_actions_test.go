package updater_test

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"ganeticache/db"
	"ganeticache/updater"
)

// act does one thing that asks the cluster, whatever comes of it.
func (m *machine) act(ctx context.Context, t *rapid.T, i int) {
	switch rapid.SampledFrom([]string{"refresh", "read", "list"}).Draw(t, "act") {
	case "refresh":
		whatever(m.refresh(ctx, i, m.someKinds(t)))
	case "read":
		whatever(m.read(ctx, i, m.aVM(t), rapid.Bool().Draw(t, "insists")))
	case "list":
		whatever(m.list(ctx, i, updater.MaxAge(time.Minute)))
	}
}

// whatever comes of an action with something in its way is right, as long as the rows are.
func whatever(error) {}

// doTrouble lets a call to the cluster fail.
func (m *machine) doTrouble(t *rapid.T) {
	m.world.trouble = rapid.SampledFrom([]string{"timeout", "cut", "403", "500", "502"}).Draw(t, "trouble")
	m.world.troubleIn = rapid.IntRange(1, 4).Draw(t, "call")
	m.act(t.Context(), t, m.anUpdater(t))
	m.world.troubleIn = 0
}

// doSabotage lets a call to the database fail.
func (m *machine) doSabotage(t *rapid.T) {
	m.sabotage = sabotage{
		in:     rapid.IntRange(1, 8).Draw(t, "call"),
		prints: rapid.SampledFrom([]db.Kind{"", "", db.KindVM, db.KindNode}).Draw(t, "record"),
		how:    rapid.SampledFrom([]string{"cut", "lose", "refuse"}).Draw(t, "how"),
		looks:  rapid.Int64Range(1, 60).Draw(t, "looks"),
	}
	m.act(t.Context(), t, m.anUpdater(t))
	m.sabotage = sabotage{}
}

// doOverlap lets things happen between an answer of the cluster and its use: changes, and what the other updater does. A
// read holds the cluster's lease for readers meanwhile, so that only a refresh can come between.
func (m *machine) doOverlap(t *rapid.T) {
	outer, reads := m.anUpdater(t), rapid.Bool().Draw(t, "read")
	back := func() {}
	if rapid.Bool().Draw(t, "there and back") {
		back = m.there(t)
	}
	m.world.meanwhileIn = rapid.IntRange(1, 4).Draw(t, "call")
	outerKinds, outerVM, insists := m.someKinds(t), m.aVM(t), rapid.Bool().Draw(t, "insists")
	during(m.world, func() {
		if reads {
			whatever(m.read(t.Context(), outer, outerVM, insists))
		} else {
			whatever(m.refresh(t.Context(), outer, outerKinds))
		}
	}, func() {
		back()
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			m.change(t)
		}
		switch {
		case reads || rapid.Bool().Draw(t, "refresh"):
			whatever(m.refresh(t.Context(), 1-outer, m.someKinds(t)))
		case rapid.Bool().Draw(t, "what changed last"):
			whatever(m.read(t.Context(), 1-outer, db.VMRef{Cluster: m.name, UUID: m.touched}, true))
		default:
			m.act(t.Context(), t, 1-outer)
		}
		if rapid.Bool().Draw(t, "one more change") {
			m.change(t)
		}
	})
	m.world.meanwhileIn = 0
}

// doLate has a VM change, or go, and come back while an answer that says so is under way, and the other updater see that.
// The answer must not overwrite what is newer.
func (m *machine) doLate(t *rapid.T) {
	outer, reads := m.anUpdater(t), rapid.Bool().Draw(t, "read")
	back := m.there(t)
	ref := db.VMRef{Cluster: m.name, UUID: m.touched}
	m.world.meanwhileIn = 2 // the cluster's own info comes before its VMs
	if reads {
		m.world.meanwhileIn = 1
	}
	readsToo := !reads && rapid.Bool().Draw(t, "the other reads")
	during(m.world, func() {
		if reads {
			whatever(m.read(t.Context(), outer, ref, true))
		} else {
			whatever(m.refresh(t.Context(), outer, []db.Kind{db.KindVM}))
		}
	}, func() {
		back()
		if readsToo {
			whatever(m.read(t.Context(), 1-outer, ref, true))
		} else {
			whatever(m.refresh(t.Context(), 1-outer, []db.Kind{db.KindVM}))
		}
	})
	m.world.meanwhileIn = 0
}

// during runs inner while outer has an answer of the cluster in hand, if it comes to that; inner stays in the caller's
// goroutine, which alone may draw.
func during(w *world, outer, inner func()) {
	reached, resume, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.meanwhile = func() {
		close(reached)
		<-resume
	}
	go func() {
		defer close(done)
		outer()
	}()
	defer func() { <-done }()
	defer close(resume)
	select {
	case <-reached:
		inner()
	case <-done:
	}
}

// doForeign lets another cluster answer for a while.
func (m *machine) doForeign(t *rapid.T) {
	if m.records[db.KindCluster].snapshotAt.IsZero() {
		return // whoever answers first is the cluster
	}
	m.world.foreign = true
	m.act(t.Context(), t, m.anUpdater(t))
	m.world.foreign = false
}

func (m *machine) doApprove(t *rapid.T) {
	if _, err := m.store.ApproveRemovals(t.Context(), m.name); err != nil {
		t.Fatal(err)
	}
	for _, r := range m.records {
		if len(r.pending) > 0 {
			r.approved = map[string]bool{}
			for _, uuid := range r.pending {
				r.approved[uuid] = true
			}
		}
	}
}

func (m *machine) doGrant(t *rapid.T) {
	ref := m.aVM(t)
	row := m.records[db.KindVM].rows[ref.UUID]
	if row == nil || row.Deleted {
		return
	}
	added, err := m.store.Grant(t.Context(), db.Grant{Subject: "somebody", Permission: "admin", Cluster: m.name, VM: ref.UUID})
	if err != nil {
		t.Fatal(err)
	}
	if added {
		m.grants = append(m.grants, row.ID)
	}
}

// change is something that happens to the cluster.
func (m *machine) change(t *rapid.T) {
	m.world.tick()
	k := rapid.SampledFrom([]db.Kind{db.KindVM, db.KindVM, db.KindVM, db.KindNode, db.KindJob}).Draw(t, "kind")
	objects, removed := m.world.objects[k], m.world.removed[k]
	uuids := slices.Sorted(maps.Keys(objects))
	what := rapid.SampledFrom([]string{
		"create", "create", "create", "status", "rename", "remove", "restore", "space", "break", "mend", "remove many",
	}).Draw(t, "what")
	if what == "create" || len(uuids) == 0 {
		m.create(t, k)
		return
	}
	uuid := rapid.SampledFrom(uuids).Draw(t, "uuid")
	o := objects[uuid]
	m.touched = uuid
	switch what {
	case "status":
		o.Status = rapid.SampledFrom([]string{"running n1", "running n2", "ADMIN_down n1"}).Draw(t, "status")
		if k != db.KindVM {
			o.Status, _, _ = strings.Cut(o.Status, " ")
		}
	case "rename":
		if name := rapid.SampledFrom(names()).Draw(t, "name"); k != db.KindJob && !taken(objects, name) {
			o.Name = name
		}
	case "space":
		o.Spaced = !o.Spaced
	case "break":
		if k != db.KindJob {
			o.Flaw = rapid.SampledFrom([]string{brokenFlaw, keylessFlaw}).Draw(t, "flaw")
		}
	case "mend":
		o.Flaw = ""
	}
	objects[uuid] = o
	switch what {
	case "remove":
		uuids = []string{uuid}
	case "remove many":
		uuids = uuids[rapid.IntRange(0, len(uuids)-1).Draw(t, "kept"):]
	case "restore":
		for _, gone := range slices.Sorted(maps.Keys(removed)) {
			if !taken(objects, removed[gone].Name) {
				objects[gone] = removed[gone]
				delete(removed, gone)
			}
		}
		return
	default:
		return
	}
	for _, gone := range uuids {
		removed[gone] = objects[gone]
		delete(objects, gone)
	}
}

// there changes or removes a VM that the database has; the function it gives brings it back as it was.
func (m *machine) there(t *rapid.T) (back func()) {
	vms, removed := m.world.objects[db.KindVM], m.world.removed[db.KindVM]
	uuid := m.aVM(t).UUID
	was, exists := vms[uuid]
	if !exists {
		return func() {}
	}
	m.touched = uuid
	m.world.tick()
	if rapid.Bool().Draw(t, "away") {
		delete(vms, uuid)
		removed[uuid] = was
	} else {
		o := was
		o.Status = "USER_down n1"
		vms[uuid] = o
	}
	return func() {
		m.world.tick()
		delete(removed, uuid)
		vms[uuid] = was
	}
}

func (m *machine) create(t *rapid.T, k db.Kind) {
	name := rapid.SampledFrom(names()).Draw(t, "name")
	if taken(m.world.objects[k], name) && k != db.KindJob {
		return
	}
	m.world.made++
	status := "running"
	if k == db.KindVM {
		status = "running n1"
	}
	uuid := strconv.Itoa(m.world.made)
	m.touched = uuid
	m.world.objects[k][uuid] = thing{UUID: uuid, Name: name, Status: status}
}

func names() []string { return []string{"a", "b", "c", "d", "e"} }

func taken(objects map[string]thing, name string) bool {
	for _, o := range objects {
		if o.Name == name {
			return true
		}
	}
	return false
}
