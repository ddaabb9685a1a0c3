package main

// benchCase is what happens to the clusters, and to the processes, before a round is measured.
type benchCase struct {
	// key is how -cases names it; title how the tables do.
	key, title string
	// order changes the clusters before each run; undo changes them back after it, which is followed but not measured.
	order, undo string
	// fresh begins each round with a new process and an empty database, restarted with a new process alone.
	fresh, restarted bool
	// cold says that all rows are written, so that the floor is the one that writes them too.
	cold bool
}

// The cases' keys.
const (
	caseFirst     = "first"
	caseUnchanged = "unchanged"
	caseRestart   = "restart"
	caseSome      = "some"
	caseAll       = "all"
	caseRemoved   = "removed"
)

// cases are in the order in which they are measured: each begins with databases that are true.
func cases() []benchCase {
	return []benchCase{
		{key: caseFirst, title: "first load", fresh: true, cold: true},
		{key: caseUnchanged, title: "nothing changed"},
		{key: caseRestart, title: "nothing changed, after a restart", restarted: true},
		{key: caseSome, title: "1 % changed", order: orderSome},
		{key: caseAll, title: "everything changed", order: orderAll, cold: true},
		{key: caseRemoved, title: "10 % removed", order: orderRemove, undo: orderRestore},
	}
}

// base is the key of the floor that a case is set beside.
func (c benchCase) base() string {
	if c.cold {
		return keyCold
	}
	return keyFloor
}
