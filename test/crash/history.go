package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"ganeticache/db"
)

// history retells the log of changes: what each object must be if nothing but the log had happened to it.
type history struct {
	last    int64
	objects map[object]*told
}

// told is an object as the log tells it; of a field, the newest value that it names.
type told struct {
	live   bool
	name   string
	fields map[string]string
}

// read takes in what is new in the log and gives what is not legal in it.
func (h *history) read(ctx context.Context, s *db.Store) ([]string, error) {
	clusters, err := s.Clusters(ctx)
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, c := range clusters {
		names[c.ID] = c.Name
	}
	var wrong []string
	for {
		changes, err := s.Changes(ctx, h.last, 1000)
		if err != nil || len(changes) == 0 {
			return wrong, err
		}
		for _, c := range changes {
			h.last, c.Cluster = c.ID, names[c.ClusterID]
			if c.Kind == db.KindCluster {
				continue
			}
			if why := h.add(c); why != "" {
				wrong = append(wrong, fmt.Sprintf("change %d (%s %s %s): %s", c.ID, c.Op, c.Kind, c.UUID, why))
			}
		}
	}
}

// add takes in one change and says what is wrong with it, if anything.
func (h *history) add(c db.Change) string {
	key := object{c.Kind, c.Cluster, c.UUID}
	o := h.objects[key]
	switch {
	case c.Op == db.OpCreated && o != nil:
		return "it was created before"
	case c.Op == db.OpCreated:
		h.objects[key] = &told{live: true, name: c.Name, fields: map[string]string{}}
		return ""
	case o == nil:
		return "it was never created"
	case c.Op == db.OpPurged && !o.live:
		delete(h.objects, key)
		return ""
	case c.Op == db.OpRestored && o.live:
		return "it was not removed"
	case c.Op != db.OpRestored && !o.live:
		return "it was removed before"
	}
	o.live = c.Op != db.OpRemoved
	name := o.name
	o.name = c.Name
	for field, f := range c.Fields {
		was, known := o.fields[field]
		switch {
		case field == "name":
			was, known = inJSON(name), true
		case !chained(field):
			continue
		}
		o.fields[field] = inJSON(f.New)
		if known && was != inJSON(f.Old) {
			return fmt.Sprintf("%s was %s by the log, and it says %s", field, was, inJSON(f.Old))
		}
	}
	if _, said := c.Fields["name"]; c.Name != name && !said {
		return fmt.Sprintf("its name was %s by the log", name)
	}
	return ""
}

// chained says that a field is one of the columns that are looked at.
func chained(field string) bool {
	return slices.Contains([]string{"status", "admin_state", "primary_node", "tags", "role", "alloc_policy"}, field)
}

// inJSON is a value as JSON, to compare it.
func inJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// compare gives what the log does not tell, or tells wrongly, of the rows.
func (h *history) compare(st *state) []string {
	var wrong []string
	for key, r := range st.rows {
		o := h.objects[key]
		switch {
		case o == nil:
			wrong = append(wrong, fmt.Sprintf("the log knows nothing of %s", key))
		case o.live == r.deleted:
			wrong = append(wrong, fmt.Sprintf("%s is live: %t by the log, %t by its row", key, o.live, !r.deleted))
		case o.name != r.name:
			wrong = append(wrong, fmt.Sprintf("%s is %s by the log, %s by its row", key, o.name, r.name))
		case key.kind == db.KindVM && o.fields["status"] != "" && o.fields["status"] != inJSON(r.status):
			wrong = append(wrong, fmt.Sprintf("%s is %s by the log, %s by its row", key, o.fields["status"], r.status))
		}
	}
	if len(h.objects) != len(st.rows) {
		wrong = append(wrong, fmt.Sprintf("the log tells of %d objects, there are %d rows", len(h.objects), len(st.rows)))
	}
	return wrong
}
