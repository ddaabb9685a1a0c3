package main

import (
	"fmt"
	"slices"
	"strings"
)

// nodeDown is Ganeti's status of a VM whose node does not answer.
const nodeDown = "ERROR_nodedown"

// want is an entry that changes must have exactly once since the last look.
type want struct {
	kind, name, op string
	// field and value name a column and its new value, as decoded from JSON; an empty field is any entry of this op.
	field string
	value any
	// silent wants no entry: it only says that entries of this object, or of this kind without a name, are no surprise.
	silent bool
}

func created(kind, name string) want { return want{kind: kind, name: name, op: "created"} }
func removed(kind, name string) want { return want{kind: kind, name: name, op: "removed"} }
func renamed(kind, name string) want { return want{kind: kind, name: name, op: "renamed"} }

// became wants exactly one entry by which a column of a VM got a value.
func became(name, field string, value any) want {
	return want{kind: "vm", name: name, op: "updated", field: field, value: value}
}

// mayPass allows a VM states that come and go.
func mayPass(name string) want { return want{kind: "vm", name: name, silent: true} }

// check counts the entries for each want, and those of VMs that nobody touched. Hiccups are of the latter, and Ganeti's own.
func check(wants []want, changes []entry) (wrong []string, hiccups int) {
	for _, w := range wants {
		if w.silent {
			continue
		}
		n := 0
		for _, c := range changes {
			if w.matches(c) {
				n++
			}
		}
		if n != 1 {
			wrong = append(wrong, fmt.Sprintf("%d entries instead of one: %s %s %s %s=%v", n, w.kind, w.name, w.op, w.field, w.value))
		}
	}
	for _, c := range changes {
		if c.kind != "vm" && c.op != "removed" {
			continue
		}
		switch {
		case slices.ContainsFunc(wants, func(w want) bool { return w.about(c) }):
		case c.hiccup():
			hiccups++
		default:
			wrong = append(wrong, fmt.Sprintf("change %d: %s %s %s %s, which nobody touched", c.id, c.op, c.kind, c.name, canonical(c.fields)))
		}
	}
	return wrong, hiccups
}

// hiccup says whether a VM only went to ERROR_nodedown or came back from it: on a busy machine a node now and then takes
// longer than the 5 s that Ganeti gives it.
func (e entry) hiccup() bool {
	status, ok := e.fields["status"].(object)
	if !ok || status["old"] != nodeDown && status["new"] != nodeDown {
		return false
	}
	for name := range e.fields {
		if !slices.Contains([]string{"status", "oper_state", "oper_memory_mib", "info"}, name) && !strings.HasPrefix(name, "/oper_") {
			return false
		}
	}
	return true
}

// about says whether the want names the entry's object.
func (w want) about(c entry) bool {
	return w.kind == c.kind && (w.name == c.name || w.silent && w.name == "")
}

func (w want) matches(c entry) bool {
	if c.kind != w.kind || c.name != w.name || c.op != w.op {
		return false
	}
	if w.field == "" {
		return true
	}
	both, _ := c.fields[w.field].(object)
	return both != nil && canonical(both["new"]) == canonical(w.value)
}
