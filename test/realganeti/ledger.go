package main

import (
	"fmt"
	"maps"
	"slices"
)

// ledger follows a database from look to look: rows keep their ids, and the log of changes explains every difference
// between two looks exactly once.
type ledger struct {
	cursor int64
	rows   rows
	// ids are those of every row ever seen, by kind and identity.
	ids map[string]map[string]int64
}

// verdict is what the ledger found between two looks.
type verdict struct {
	// moved are rows whose id changed, changes are entries that do not fit the rows, or rows that no entry explains.
	moved, changes []string
}

// follow takes the next look.
func (l *ledger) follow(next record) verdict {
	var v verdict
	if l.ids == nil {
		l.ids = map[string]map[string]int64{}
	}
	for _, k := range kinds() {
		v.moved = append(v.moved, l.checkIDs(k.name, next.rows[k.name])...)
		if k.name == "cluster" || l.rows == nil {
			continue // the cluster itself has no entries in changes; the first look has nothing before it
		}
		v.changes = append(v.changes, replay(k, l.rows[k.name], next.rows[k.name], next.changes)...)
	}
	l.rows = next.rows
	if n := len(next.changes); n > 0 {
		l.cursor = next.changes[n-1].id
	}
	return v
}

// checkIDs also finds rows that are gone: within the retention of a tombstone none may be.
func (l *ledger) checkIDs(kind string, now map[string]row) (wrong []string) {
	if l.ids[kind] == nil {
		l.ids[kind] = map[string]int64{}
	}
	for uuid, id := range l.ids[kind] {
		if r, ok := now[uuid]; !ok || r.id != id {
			wrong = append(wrong, fmt.Sprintf("%s %s: had the row %d, has %d", kind, uuid, id, r.id))
		}
	}
	for uuid, r := range now {
		l.ids[kind][uuid] = r.id
	}
	return wrong
}

// replay makes the changes to what was there before; the result must be what is there now.
func replay(k kind, before, now map[string]row, changes []entry) (wrong []string) {
	state := map[string]*replayed{}
	for uuid, r := range before {
		state[uuid] = &replayed{alive: !r.deleted, values: maps.Clone(r.values)}
	}
	for _, c := range changes {
		if c.kind != k.name {
			continue
		}
		if state[c.uuid] == nil {
			state[c.uuid] = &replayed{}
		}
		for _, problem := range state[c.uuid].apply(k, c) {
			wrong = append(wrong, fmt.Sprintf("change %d (%s %s %s): %s", c.id, c.op, k.name, c.name, problem))
		}
	}
	for uuid, r := range now {
		s := state[uuid]
		if s == nil || s.alive == r.deleted {
			wrong = append(wrong, fmt.Sprintf("%s %s: no entry says that it came or went", k.name, r.values["name"]))
			continue
		}
		for _, c := range k.columns {
			if want, known := s.values[c.name]; known && !c.unlogged && want != r.values[c.name] {
				wrong = append(wrong, fmt.Sprintf("%s %s: %s is %v, by the changes it should be %v",
					k.name, r.values["name"], c.name, r.values[c.name], want))
			}
		}
	}
	return wrong
}

// replayed is an object as the changes tell it. Values that a created entry does not tell are unknown until another does.
type replayed struct {
	alive  bool
	values map[string]any
}

// apply makes one change and returns what is wrong with it.
func (s *replayed) apply(k kind, c entry) (wrong []string) {
	alive, wasAlive := map[string][2]bool{
		"created": {true, false}, "restored": {true, false}, "removed": {false, true},
		"updated": {true, true}, "renamed": {true, true},
	}[c.op], s.alive
	if wasAlive != alive[1] {
		wrong = append(wrong, fmt.Sprintf("it was there before: %t", wasAlive))
	}
	s.alive = alive[0]
	if s.values == nil {
		s.values = map[string]any{}
	}
	for name, moved := range c.fields {
		i := slices.IndexFunc(k.columns, func(column column) bool { return column.name == name })
		both, ok := moved.(object)
		switch {
		case !ok || len(both) == 2 && canonical(both["old"]) == canonical(both["new"]) || len(both) == 0:
			wrong = append(wrong, name+" did not change in it")
		case i < 0: // a part of info, or the tombstone's time
		default:
			was, known := s.values[name]
			if old := k.columns[i].sort.logged(both["old"]); known && old != was {
				wrong = append(wrong, fmt.Sprintf("%s was %v before, it says %v", name, was, old))
			}
			s.values[name] = k.columns[i].sort.logged(both["new"])
		}
	}
	return wrong
}
