package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ganeticache/db"
)

// describe puts a change into one line: "updated vm web1: status running → ADMIN_down".
func describe(c db.Change) string {
	name := c.Name
	if name == "" {
		name = c.UUID
	}
	head := fmt.Sprintf("%s %s %s", c.Op, c.Kind, name)
	if c.Op == db.OpCreated || c.Op == db.OpRemoved || c.Op == db.OpPurged {
		return head
	}
	var parts []string
	for _, field := range slices.Sorted(maps.Keys(c.Fields)) {
		if field == "mtime" || field == "serial_no" || field == "deleted_at" {
			continue // they go with nearly every change, or with its name, and tell a person nothing
		}
		f := c.Fields[field]
		parts = append(parts, fmt.Sprintf("%s %s → %s", field, short(f.Old), short(f.New)))
	}
	if len(parts) == 0 {
		return head
	}
	return head + ": " + strings.Join(parts, ", ")
}

// maxValue is where a value is cut in a line for people.
const maxValue = 60

func short(v any) string {
	if v == db.Absent {
		return "nothing"
	}
	s, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		s = string(b)
	}
	if runes := []rune(s); len(runes) > maxValue {
		return string(runes[:maxValue]) + "…"
	}
	return s
}
