package db

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Columns of a view that are not the table's own.
const (
	columnCluster  = "cluster"
	columnCachedAt = "cached_at"
)

// sorting is the order of a search: by one expression, then by id, so that every row has its place.
type sorting struct {
	column     string
	expr       string
	descending bool
	// nullable says that expr may be NULL; such rows come before all others, or after them when descending.
	nullable bool
	// cluster and freshness say which tables beside the row's own expr needs.
	cluster, freshness bool
	// field is a value of the type that expr has: string, int64, bool or time.Time.
	field any
	after *position
}

// position is the place of the last row of the page before.
type position struct {
	value any // nil is NULL
	id    int64
}

// newSorting reads an order's column and cursor.
func newSorting(d *dialect, t *table, o order) (*sorting, error) {
	s := &sorting{column: o.sort, descending: o.descending}
	if s.column == "" {
		s.column = "name"
	}
	if !slices.Contains(t.sortable(), s.column) {
		return nil, badFilter("sort", "there is no column %q; there are %s", shorten(s.column), strings.Join(t.sortable(), ", "))
	}
	s.expr = "v." + s.column
	switch ptr := t.fieldOf(s.column).(type) {
	case nil:
		s.fromOrigin(d, t)
	case *string:
		s.field = ""
	case *int64:
		s.field = int64(0)
	case *time.Time:
		s.field = time.Time{}
	case **int64:
		s.field, s.nullable = int64(0), true
	case **bool:
		s.field, s.nullable = false, true
	case **time.Time:
		s.field, s.nullable = time.Time{}, true
	case *List:
		s.field, s.expr = "", "coalesce("+d.search.first(s.expr)+", '')"
	default:
		return nil, fmt.Errorf("sorting by a column of type %T", ptr)
	}
	if o.after == "" {
		return s, nil
	}
	if err := s.decode(o.after); err != nil {
		return nil, err
	}
	return s, nil
}

// fromOrigin sorts by a column that comes from the cluster.
func (s *sorting) fromOrigin(d *dialect, t *table) {
	s.field, s.cluster = "", true
	switch s.column {
	case columnCluster:
		s.expr = "c.name" + d.search.bytewise
	case columnCachedAt:
		s.expr = "CASE WHEN " + quarantined(t) + " THEN v.observed_at ELSE " +
			d.search.greatest + "(v.observed_at, coalesce(f.refreshed_at, v.observed_at)) END"
		s.field, s.cluster, s.freshness = time.Time{}, false, true
	default:
		s.expr = "c." + s.column
	}
}

// fieldOf gives a pointer to the column's field of an empty row, nil if the table has no such column.
func (t *table) fieldOf(column string) any {
	ptrs := t.pointers(t.zero(), func(name string) bool { return name == column })
	if len(ptrs) == 0 {
		return nil
	}
	return ptrs[0]
}

// orderBy is the ORDER BY of the search. With off, no index can serve it.
func (s *sorting) orderBy(d *dialect, off bool) string {
	if off {
		return s.direction(d, d.search.off(s.expr), d.search.off("v.id"))
	}
	return s.direction(d, s.expr, "v.id")
}

// direction gives the sorted expression and the id their directions.
func (s *sorting) direction(d *dialect, expr, id string) string {
	direction := d.search.ascending
	if s.descending {
		direction = d.search.descending
	}
	plain, _, _ := strings.Cut(direction, " ")
	switch {
	case s.column == "id":
		return id + " " + plain
	case s.nullable:
		return expr + " " + direction + ", " + id + " " + plain
	}
	return expr + " " + plain + ", " + id + " " + plain
}

// segment is a part of the order that one range of an index covers.
type segment struct {
	condition string
	args      []any
}

// segments are what is left after the cursor, in order.
func (s *sorting) segments() []segment {
	if s.after == nil {
		return []segment{{condition: "true"}}
	}
	op := ">"
	if s.descending {
		op = "<"
	}
	if s.column == "id" {
		return []segment{{"v.id " + op + " ?", []any{s.after.id}}}
	}
	if s.after.value == nil {
		rest := []segment{{s.expr + " IS NULL AND v.id " + op + " ?", []any{s.after.id}}}
		if !s.descending {
			rest = append(rest, segment{condition: s.expr + " IS NOT NULL"})
		}
		return rest
	}
	rest := []segment{{"(" + s.expr + ", v.id) " + op + " (?, ?)", []any{s.after.value, s.after.id}}}
	if s.descending && s.nullable {
		rest = append(rest, segment{condition: s.expr + " IS NULL"})
	}
	return rest
}

// cursor is the content of Page.Next.
type cursor struct {
	Sort       string          `json:"s"`
	Descending bool            `json:"d,omitempty"`
	Value      json.RawMessage `json:"v"`
	ID         int64           `json:"i"`
}

// encode makes the cursor that follows a row.
func (s *sorting) encode(row any) (string, error) {
	all := fields(row)
	id, ok := all["id"].(*int64)
	if !ok {
		return "", fmt.Errorf("%T has no id", row)
	}
	var value any
	switch p := all[s.column].(type) {
	case *List:
		value = ""
		if len(*p) > 0 {
			value = (*p)[0]
		}
	default:
		value = p
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encoding the cursor: %w", err)
	}
	text, err = json.Marshal(cursor{s.column, s.descending, text, *id})
	if err != nil {
		return "", fmt.Errorf("encoding the cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

// decode reads a cursor, which may have been sent by anybody.
func (s *sorting) decode(after string) error {
	malformed := badFilter("after", "this is not the cursor of a page")
	text, err := base64.RawURLEncoding.DecodeString(after)
	if err != nil {
		return malformed
	}
	var c cursor
	if err := json.Unmarshal(text, &c); err != nil {
		return malformed
	}
	if c.Sort != s.column || c.Descending != s.descending {
		return badFilter("after", "this cursor belongs to a search sorted otherwise")
	}
	s.after = &position{id: c.ID}
	if string(c.Value) == "null" && s.nullable {
		return nil
	}
	switch s.field.(type) {
	case string:
		s.after.value, err = decodeValue[string](c.Value)
	case int64:
		s.after.value, err = decodeValue[int64](c.Value)
	case bool:
		s.after.value, err = decodeValue[bool](c.Value)
	case time.Time:
		s.after.value, err = decodeValue[time.Time](c.Value)
	}
	if err != nil {
		return malformed
	}
	return nil
}

// decodeValue reads a value of a column's type, made storable.
func decodeValue[T any](text json.RawMessage) (any, error) {
	var v *T
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, err
	}
	if v == nil {
		return nil, badFilter("after", "null")
	}
	cleanField(v)
	return *v, nil
}
