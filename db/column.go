package db

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// kindTable is one entry of the list of kinds: the table and how to make an empty row of it.
type kindTable struct {
	kind Kind
	name string
	zero func() Row
	// derived are keys of info that follow from other objects, from the way of asking, or that a column has in a better
	// form: a VM that comes or goes changes its network's list of instances, and a group lists its nodes in any order. They
	// are stored, and are no change of this object.
	derived []string
	// copies are keys of info that a column holds under another name.
	copies map[string]string
}

// table describes a kind's table, read once from the db tags of its row type.
type table struct {
	kindTable
	typ     reflect.Type // the row struct
	columns []column     // every column, id first
	written []string     // names of the columns a writer fills: all but id
	read    string       // select list of everything but info
	typed   int          // number of leading columns that are bookkeeping, not content
	info    infoRules
}

// column is one field of a row type.
type column struct {
	name     string
	index    []int
	volatile bool
	// set says that the order of the list means nothing.
	set bool
}

// newTable panics on a row type without the common columns: a mistake in this package, not of a caller.
func newTable(k kindTable) *table {
	t := &table{kindTable: k, typ: reflect.TypeOf(k.zero()).Elem()}
	// Base columns come first, in the order of Object; everything after them is content.
	t.addColumns(t.typ, nil)
	for i, c := range t.columns {
		if c.name == "deleted_at" {
			t.typed = i + 1
		}
	}
	if t.typed == 0 {
		panic(fmt.Sprintf("%s has no Object", t.typ))
	}
	var read []string
	for _, c := range t.columns {
		if c.name != "id" {
			t.written = append(t.written, c.name)
		}
		if c.name != "info" {
			read = append(read, c.name)
		}
	}
	t.read = strings.Join(read, ", ")
	t.info = t.rules()
	return t
}

func (t *table) addColumns(typ reflect.Type, index []int) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		path := append(slices.Clone(index), i)
		if f.Anonymous {
			t.addColumns(f.Type, path)
			continue
		}
		name, option, _ := strings.Cut(f.Tag.Get("db"), ",")
		if name == "" {
			continue
		}
		t.columns = append(t.columns, column{name: name, index: path, volatile: option == "volatile", set: option == "set"})
	}
}

// same compares two clean fields of the column.
func (c column) same(a, b any) bool {
	if c.set {
		return sameSet(*a.(*List), *b.(*List)) //nolint:forcetypeassert // sets are lists
	}
	return sameField(a, b)
}

// holds reports whether row is of the table's row type.
func (t *table) holds(row Row) bool {
	return reflect.TypeOf(row) == reflect.PointerTo(t.typ)
}

// pointers returns pointers to the fields of the columns that keep wants, in column order.
func (t *table) pointers(row Row, keep func(name string) bool) []any {
	v := reflect.ValueOf(row).Elem()
	ptrs := make([]any, 0, len(t.columns))
	for _, c := range t.columns {
		if keep(c.name) {
			ptrs = append(ptrs, v.FieldByIndex(c.index).Addr().Interface())
		}
	}
	return ptrs
}

// writePointers matches t.written.
func (t *table) writePointers(row Row) []any {
	return t.pointers(row, func(name string) bool { return name != "id" })
}

// readPointers matches t.read.
func (t *table) readPointers(row Row) []any {
	return t.pointers(row, func(name string) bool { return name != "info" })
}

// content returns pointers to the typed columns, which tell whether an object changed, and their descriptions.
func (t *table) content(row Row) ([]any, []column) {
	v := reflect.ValueOf(row).Elem()
	columns := t.columns[t.typed:]
	ptrs := make([]any, len(columns))
	for i, c := range columns {
		ptrs[i] = v.FieldByIndex(c.index).Addr().Interface()
	}
	return ptrs, columns
}
