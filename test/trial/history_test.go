package trial_test

import (
	"testing"
	"time"

	"ganeticache/test/trial"
)

// at is a moment of a made-up clock.
func at(seconds int) time.Time { return time.Unix(1_000_000+int64(seconds), 0).UTC() }

// vmIn makes an object in a state.
func vmIn(state string) []trial.Object {
	return []trial.Object{{Kind: "vm", UUID: "u", State: state}}
}

// The VM is created at 10, stopped at 20, removed at 30 and back at 40; each change takes a second.
func someHistory() *trial.History {
	h := trial.NewHistory()
	h.Record(vmIn("running"), at(10), at(11))
	h.Record(vmIn("running"), at(15), at(16)) // nothing happened
	h.Record(vmIn("down"), at(20), at(21))
	h.Record(nil, at(30), at(31))
	h.Record(vmIn("down"), at(40), at(41))
	return h
}

func TestHistory_Held(t *testing.T) {
	h := someHistory()
	tests := []struct {
		name         string
		state        string
		since, until time.Time
		want         bool
	}{
		{"absent before it was made", "", at(5), time.Time{}, true},
		{"absent while it was being made", "", at(11), at(11), true},
		{"absent after it was made and before it was removed", "", at(12), at(29), false},
		{"running while it was", "running", at(12), time.Time{}, true},
		{"running while it was being stopped", "running", at(21), time.Time{}, true},
		{"called running after it was stopped: false fresh", "running", at(22), time.Time{}, false},
		{"down before it was", "down", at(12), at(19), false},
		{"down while it was", "down", at(22), at(23), true},
		{"down while it was gone", "down", at(32), at(39), false},
		{"absent while it was gone", "", at(32), at(39), true},
		{"absent after it came back: a false tombstone", "", at(42), time.Time{}, false},
		{"down after it came back", "down", at(42), time.Time{}, true},
		{"a state it never had", "migrating", at(0), time.Time{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := h.Held("vm", "u", tt.state, tt.since, tt.until); got != tt.want {
				t.Errorf("Held(%q, %s, %s) = %t, want %t", tt.state, tt.since, tt.until, got, tt.want)
			}
		})
	}
}

func TestHistory_Held_ofNobody(t *testing.T) {
	h := someHistory()
	if !h.Held("vm", "other", "", at(0), time.Time{}) {
		t.Error("an object that never was is not absent")
	}
	if h.Held("vm", "other", "running", at(0), time.Time{}) {
		t.Error("an object that never was is running")
	}
	if h.Held("node", "u", "running", at(12), time.Time{}) {
		t.Error("a node has the state of the VM of the same uuid")
	}
}
