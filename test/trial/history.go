package trial

import "time"

// Object is one thing of a cluster as the judges compare it: the same text is made of the simulator's object and of the
// row. A deleted row has no place here.
type Object struct {
	Kind, UUID string
	// State is what the object is; Volatile what follows from other objects (counts), and is compared only when all is
	// calm, since no history is kept of it.
	State, Volatile string
}

type key struct{ kind, uuid string }

// span is a time in which an object had one state; "" is not being there.
type span struct {
	state string
	// from is the earliest time at which it may have begun, to the latest at which it may still have held: a change takes
	// effect between two looks at the clock. A zero to: it holds.
	from, to time.Time
}

// History knows, for each object of a cluster, what was true when. It is not safe for concurrent use: whoever changes the
// cluster holds a lock from before the change until it is recorded here.
type History struct {
	spans map[key][]span
}

// NewHistory makes an empty history: nothing was ever there.
func NewHistory() *History { return &History{spans: map[key][]span{}} }

// Record takes in all objects as they are after a change that took effect between the two times. It returns how many
// objects it found changed.
func (h *History) Record(objects []Object, before, after time.Time) int {
	changed := 0
	seen := make(map[key]bool, len(objects))
	for _, o := range objects {
		k := key{o.Kind, o.UUID}
		seen[k] = true
		if h.enter(k, o.State, before, after) {
			changed++
		}
	}
	for k := range h.spans {
		if !seen[k] && h.enter(k, "", before, after) {
			changed++
		}
	}
	return changed
}

func (h *History) enter(k key, state string, before, after time.Time) bool {
	spans := h.spans[k]
	if len(spans) == 0 {
		spans = []span{{}}
	}
	last := &spans[len(spans)-1]
	if last.state == state {
		return false
	}
	last.to = after
	h.spans[k] = append(spans, span{state: state, from: before})
	return true
}

// Held says whether the object had that state at some time from since on, until ("" is not being there). A zero until
// means: until now.
func (h *History) Held(kind, uuid, state string, since, until time.Time) bool {
	spans := h.spans[key{kind, uuid}]
	if len(spans) == 0 {
		return state == ""
	}
	for _, s := range spans {
		early := !until.IsZero() && s.from.After(until)
		late := !s.to.IsZero() && s.to.Before(since)
		if s.state == state && !early && !late {
			return true
		}
	}
	return false
}

// Latest returns the state that holds, for messages.
func (h *History) Latest(kind, uuid string) string {
	spans := h.spans[key{kind, uuid}]
	if len(spans) == 0 || spans[len(spans)-1].state == "" {
		return "(not there)"
	}
	return spans[len(spans)-1].state
}

// Existing lists the uuids of a kind that are there now.
func (h *History) Existing(kind string) []string {
	var uuids []string
	for k, spans := range h.spans {
		if k.kind == kind && spans[len(spans)-1].state != "" {
			uuids = append(uuids, k.uuid)
		}
	}
	return uuids
}
