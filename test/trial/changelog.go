package trial

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// Entry is a row of the table changes.
type Entry struct {
	ID                      int64
	Cluster, Kind, UUID, Op string
	ObjectID                int64
	ObservedAt              time.Time
	// Fields has the old and the new value of each changed column, as encoding/json decodes them.
	Fields map[string]Field
	// Other says that parts of the object's JSON changed that are no columns, or the tombstone's time.
	Other bool
}

// Field is a column's old and new value.
type Field struct {
	Old any `json:"old"`
	New any `json:"new"`
}

// ChangeLog replays changes and says which could not have been. Its zero value is ready; it is for one goroutine.
type ChangeLog struct {
	objects map[objectKey]*replayed
	last    int64
}

type objectKey struct{ cluster, kind, uuid string }

// replayed is an object as its changes tell it.
type replayed struct {
	id       int64
	live     bool
	observed time.Time
	values   map[string]any
}

// Last returns the id of the newest entry.
func (l *ChangeLog) Last() int64 { return l.last }

// Add takes in the next entry and returns what is wrong with it: a second creation, a removal of what is gone, a return
// of what is there, an old value that is not the last new one, a change from a value to the same.
func (l *ChangeLog) Add(e Entry) []string {
	var wrong []string
	complain := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("change %d (%s of %s %s in %s): ", e.ID, e.Op, e.Kind, e.UUID, e.Cluster)+
			fmt.Sprintf(format, args...))
	}
	if l.objects == nil {
		l.objects = map[objectKey]*replayed{}
	}
	if e.ID <= l.last {
		complain("its id is not above the last one, %d", l.last)
	}
	l.last = e.ID
	k := objectKey{e.Cluster, e.Kind, e.UUID}
	o := l.objects[k]
	if o == nil {
		if e.Op != "created" {
			complain("the object was never created")
		}
		l.objects[k] = &replayed{id: e.ObjectID, live: e.Op != "removed", observed: e.ObservedAt, values: news(e)}
		return wrong
	}
	if fault := o.illegal(e); fault != "" {
		complain("%s", fault)
	}
	if e.ObjectID != o.id {
		complain("the row's id was %d and is %d", o.id, e.ObjectID)
	}
	if e.ObservedAt.Before(o.observed) {
		complain("it was observed at %s, before the change before it (%s)", e.ObservedAt, o.observed)
	}
	for name, f := range e.Fields {
		if same(f.Old, f.New) {
			complain("%s changed from %v to the same", name, f.Old)
		}
		if was, known := o.values[name]; known && !same(was, f.Old) {
			complain("%s was %v by the change before, and is said to have been %v", name, was, f.Old)
		}
		o.values[name] = f.New
	}
	o.live, o.observed = e.Op != "removed", e.ObservedAt
	if e.Op == "purged" { // what comes under its uuid later is another object
		delete(l.objects, k)
	}
	return wrong
}

func news(e Entry) map[string]any {
	values := map[string]any{}
	for name, f := range e.Fields {
		values[name] = f.New
	}
	return values
}

// illegal says why an operation cannot follow.
func (o *replayed) illegal(e Entry) string {
	switch {
	case e.Op == "created":
		return "it was created before"
	case e.Op == "restored" && o.live:
		return "it was not removed"
	case e.Op == "purged" && o.live:
		return "it was not removed"
	case e.Op != "restored" && e.Op != "purged" && !o.live:
		return "it was removed before, and did not return"
	case (e.Op == "updated" || e.Op == "renamed") && len(e.Fields) == 0 && !e.Other:
		return "nothing changed"
	}
	return ""
}

// Check compares what the changes tell of an object with its row, its columns as encoding/json decodes them, and says
// what differs: then a change was made without being recorded.
func (l *ChangeLog) Check(cluster, kind, uuid string, live bool, row map[string]any) []string {
	what := fmt.Sprintf("%s %s in %s", kind, uuid, cluster)
	o := l.objects[objectKey{cluster, kind, uuid}]
	if o == nil {
		return []string{what + ": there is a row, but no change says that it was created"}
	}
	var wrong []string
	if o.live != live {
		wrong = append(wrong, fmt.Sprintf("%s: by its changes it is there: %t, by its row: %t", what, o.live, live))
	}
	for name, value := range o.values {
		if is, ok := row[name]; ok && !same(is, value) {
			wrong = append(wrong, fmt.Sprintf("%s: by its changes %s is %v, by its row %v", what, name, value, is))
		}
	}
	return wrong
}

// keepColumns drops from an entry what is no column.
func (e *Entry) keepColumns(columns map[string]bool) {
	for name := range e.Fields {
		if !columns[name] || name == "deleted_at" {
			delete(e.Fields, name)
			e.Other = true
		}
	}
}

// same compares JSON values; times count as what they mean.
func same(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, ok1 := a.(string)
	y, ok2 := b.(string)
	if !ok1 || !ok2 {
		return false
	}
	t, err1 := time.Parse(time.RFC3339Nano, x)
	u, err2 := time.Parse(time.RFC3339Nano, y)
	return err1 == nil && err2 == nil && t.Equal(u)
}

// decodeFields decodes the column fields.
func decodeFields(raw []byte) (map[string]Field, error) {
	if len(raw) == 0 {
		return map[string]Field{}, nil
	}
	var fields map[string]Field
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, fmt.Errorf("decoding the fields of a change: %w", err)
	}
	return fields, nil
}
