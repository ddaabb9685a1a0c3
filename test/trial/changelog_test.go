package trial_test

import (
	"strings"
	"testing"

	"ganeticache/test/trial"
)

func entry(id int64, op string, fields map[string]trial.Field) trial.Entry {
	return trial.Entry{
		ID: id, Cluster: "c", Kind: "vm", UUID: "u", ObjectID: 7, Op: op, ObservedAt: at(int(id)), Fields: fields,
	}
}

func status(old, now any) map[string]trial.Field {
	return map[string]trial.Field{"status": {Old: old, New: now}}
}

// honest is a sequence that could have been; each lie below is one entry after it.
func honest() []trial.Entry {
	return []trial.Entry{
		entry(1, "created", nil),
		entry(2, "updated", status("running", "down")),
		entry(3, "removed", nil),
		entry(4, "restored", status("down", "running")),
	}
}

func TestChangeLog_Add(t *testing.T) {
	other := entry(5, "updated", status("running", "down"))
	other.ObjectID = 8
	early := entry(5, "updated", status("running", "down"))
	early.ObservedAt = at(1)
	never := entry(5, "updated", status("running", "down"))
	never.UUID = "never seen"
	tests := []struct {
		name string
		next trial.Entry
		want string // "" : nothing is wrong
	}{
		{"an honest update", entry(5, "updated", status("running", "down")), ""},
		{"an honest removal", entry(5, "removed", nil), ""},
		{"an honest change of another field", entry(5, "renamed", map[string]trial.Field{"name": {Old: "a", New: "b"}}), ""},
		{"created twice", entry(5, "created", nil), "created before"},
		{"restored while live", entry(5, "restored", nil), "not removed"},
		{"the same update again", entry(5, "updated", status("down", "running")), "is said to have been down"},
		{"a change in between is missing", entry(5, "updated", status("ERROR_down", "down")), "is said to have been ERROR_down"},
		{"from a value to the same", entry(5, "updated", status("running", "running")), "to the same"},
		{"an update of nothing", entry(5, "updated", nil), "nothing changed"},
		{"another row id", other, "was 7 and is 8"},
		{"observed before the last", early, "before the change before it"},
		{"an id that was there", entry(4, "removed", nil), "not above the last one"},
		{"never created", never, "never created"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log trial.ChangeLog
			for _, e := range honest() {
				if wrong := log.Add(e); wrong != nil {
					t.Fatalf("the honest change %d is called wrong: %q", e.ID, wrong)
				}
			}
			wrong := strings.Join(log.Add(tt.next), "\n")
			if tt.want == "" && wrong != "" {
				t.Errorf("called wrong: %s", wrong)
			}
			if !strings.Contains(wrong, tt.want) {
				t.Errorf("got %q, want something about %q", wrong, tt.want)
			}
		})
	}
}

func TestChangeLog_Add_afterRemoval(t *testing.T) {
	for _, op := range []string{"removed", "updated", "renamed"} {
		var log trial.ChangeLog
		log.Add(entry(1, "created", nil))
		log.Add(entry(2, "removed", nil))
		if wrong := log.Add(entry(3, op, status("running", "down"))); len(wrong) == 0 {
			t.Errorf("%s of what is gone is not called wrong", op)
		}
	}
}

func TestChangeLog_Check(t *testing.T) {
	tests := []struct {
		name string
		live bool
		row  map[string]any
		uuid string
		want string
	}{
		{"the truth", true, map[string]any{"status": "running", "name": "a"}, "u", ""},
		{"a change that was not recorded", true, map[string]any{"status": "down"}, "u", "by its changes status is running"},
		{"a removal that was not recorded", false, map[string]any{"status": "running"}, "u", "there: true, by its row: false"},
		{"a creation that was not recorded", true, nil, "other", "no change says that it was created"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log trial.ChangeLog
			for _, e := range honest() {
				log.Add(e)
			}
			wrong := strings.Join(log.Check("c", "vm", tt.uuid, tt.live, tt.row), "\n")
			if tt.want == "" && wrong != "" || !strings.Contains(wrong, tt.want) {
				t.Errorf("got %q, want something about %q", wrong, tt.want)
			}
		})
	}
}

func TestChangeLog_Check_times(t *testing.T) {
	var log trial.ChangeLog
	log.Add(entry(1, "created", nil))
	log.Add(entry(2, "updated", map[string]trial.Field{"mtime": {Old: nil, New: "2026-01-05T00:00:00Z"}}))
	if wrong := log.Check("c", "vm", "u", true, map[string]any{"mtime": "2026-01-05T00:00:00+00:00"}); wrong != nil {
		t.Errorf("the same time in another spelling is called wrong: %q", wrong)
	}
	if wrong := log.Check("c", "vm", "u", true, map[string]any{"mtime": "2026-01-05T00:00:01Z"}); wrong == nil {
		t.Error("another time is not called wrong")
	}
}
