package db

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Past is a row as it was at some time: its columns by name, with values as JSON has them (numbers are json.Number), and
// info among them. Nil means that there was no row.
type Past map[string]any

// pastOf decodes a row in the form of changes.object.
func pastOf(object JSON) (Past, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	var p Past
	err := d.Decode(&p)
	return p, err
}

// undo takes a change back: row is what was there after it, and what it returns was there before. The row that is given may
// be changed.
func (r *infoRules) undo(row Past, c *Change) (Past, error) {
	switch c.Op {
	case OpCreated:
		return nil, nil
	case OpRemoved, OpPurged:
		if c.Object != nil {
			return pastOf(c.Object)
		}
		if row != nil { // of before the upgrade; the tombstone has what the row had
			row["deleted_at"] = nil
		}
		return row, nil
	case OpUpdated, OpRenamed, OpRestored:
	}
	if row == nil {
		return nil, nil // its end was before the upgrade, so that nothing is known of it
	}
	r.undoCopies(row, c.Fields)
	for name, f := range c.Fields {
		if !isPointer(name) {
			row[name] = f.Old
		}
	}
	row[wholeInfo] = undoPointers(row[wholeInfo], c.Fields)
	return row, nil
}

// undoCopies gives info the old values of columns where those alone are told.
func (r *infoRules) undoCopies(row Past, fields map[string]FieldChange) {
	info, ok := row[wholeInfo].(map[string]any)
	if !ok {
		return
	}
	for _, c := range r.copies {
		told, ok := fields[c.column]
		if _, also := fields["/"+c.key]; !ok || also {
			continue
		}
		if there, ok := info[c.key]; ok && c.holds(told.New, there) {
			info[c.key] = c.inInfo(told.Old, there)
		}
	}
}

// undoPointers gives a value its old parts. Elements that came at the end of a list go before others return there, the last
// one first; those that went return in order.
func undoPointers(value any, fields map[string]FieldChange) any {
	paths := slices.DeleteFunc(slices.Collect(maps.Keys(fields)), func(name string) bool { return !isPointer(name) })
	slices.SortFunc(paths, func(a, b string) int {
		goes, also := fields[a].Old == Absent, fields[b].Old == Absent
		switch {
		case goes && also:
			return comparePaths(b, a)
		case goes != also:
			return cmp.Compare(rank(also), rank(goes))
		}
		return comparePaths(a, b)
	})
	for _, path := range paths {
		value = undoAt(value, tokens(path), fields[path].Old)
	}
	return value
}

func rank(goes bool) int {
	if goes {
		return 1
	}
	return 0
}

// tokens takes a JSON Pointer apart.
func tokens(path string) []string {
	list := strings.Split(path[1:], "/")
	for i, t := range list {
		list[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return list
}

// comparePaths orders the elements of a list by number.
func comparePaths(a, b string) int {
	return slices.CompareFunc(tokens(a), tokens(b), func(x, y string) int {
		m, err1 := strconv.Atoi(x)
		n, err2 := strconv.Atoi(y)
		if err1 == nil && err2 == nil {
			return cmp.Compare(m, n)
		}
		return cmp.Compare(x, y)
	})
}

// undoAt gives the part of a value that the tokens lead to its old value. What is not as the log says stays as it is.
func undoAt(value any, path []string, old any) any {
	if len(path) == 0 {
		return old
	}
	switch v := value.(type) {
	case map[string]any:
		if len(path) == 1 && old == Absent {
			delete(v, path[0])
			return v
		}
		v[path[0]] = undoAt(v[path[0]], path[1:], old)
		return v
	case []any:
		i, err := strconv.Atoi(path[0])
		switch {
		case err != nil || i < 0 || i > len(v):
		case len(path) == 1 && old == Absent:
			return v[:min(i, len(v))]
		case i == len(v):
			return append(v, undoAt(nil, path[1:], old))
		default:
			v[i] = undoAt(v[i], path[1:], old)
		}
		return v
	}
	return value
}
