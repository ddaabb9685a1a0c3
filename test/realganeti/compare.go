package main

import (
	"context"
	"fmt"
	"net/http"
)

// answers are what RAPI itself says: by kind, then by identity.
type answers map[string]map[string]object

// ask asks RAPI for everything.
func ask(ctx context.Context, r *rapi) (answers, error) {
	all := answers{}
	for _, k := range kinds() {
		var items []object
		var err error
		if k.name == "cluster" {
			items = []object{{}}
			err = r.call(ctx, http.MethodGet, k.path, nil, &items[0])
		} else {
			items, err = r.list(ctx, k.path)
		}
		if err != nil {
			return nil, err
		}
		all[k.name] = map[string]object{}
		for _, item := range items {
			all[k.name][k.identity(item)] = item
		}
	}
	return all, nil
}

// same says whether two answers have the same meaning, but for what moves by itself.
func (a answers) same(b answers) bool {
	for _, k := range kinds() {
		if len(a[k.name]) != len(b[k.name]) {
			return false
		}
		for id, item := range a[k.name] {
			if k.info(item) != k.info(b[k.name][id]) {
				return false
			}
		}
	}
	return true
}

// differ says whether a look at a database shows anything else.
func (a answers) differ(look record) bool {
	c := compare(a, look.rows)
	return len(c.differences)+len(c.tombstones) > 0
}

// comparison counts what was compared and tells what differs.
type comparison struct {
	fields int
	// differences are values that are not RAPI's, and objects that are missing; tombstones are objects that RAPI has and
	// the database calls removed.
	differences, tombstones []string
}

// compare holds the rows of a database against RAPI's answer.
func compare(all answers, have rows) comparison {
	var c comparison
	for _, k := range kinds() {
		for id, item := range all[k.name] {
			r, ok := have[k.name][id]
			switch {
			case !ok:
				c.differf("%s %s: no row", k.name, id)
			case r.deleted:
				c.tombstones = append(c.tombstones, fmt.Sprintf("%s %s", k.name, id))
			default:
				c.object(k, item, r)
			}
		}
		for id, r := range have[k.name] {
			if _, ok := all[k.name][id]; !ok && !r.deleted {
				c.differf("%s %s %v: RAPI has none, and the row is no tombstone", k.name, id, r.values["name"])
			}
		}
	}
	return c
}

func (c *comparison) object(k kind, item object, r row) {
	for _, column := range k.columns {
		source := item
		if column.drifts != "" {
			source = r.object
		}
		c.fields++
		if want := column.want(source); want != r.values[column.name] {
			c.differf("%s %s: %s is %v, RAPI says %v", k.name, r.values["name"], column.name, r.values[column.name], want)
		}
	}
	c.fields++
	if want := k.info(item); want != r.values["info"] {
		c.differf("%s %s: info differs: %s", k.name, r.values["name"], firstDifference(item, r.object))
	}
}

func (c *comparison) differf(format string, args ...any) {
	c.differences = append(c.differences, fmt.Sprintf(format, args...))
}

// firstDifference names a key of info that differs.
func firstDifference(want, have object) string {
	for key, value := range want {
		if canonical(value) != canonical(have[key]) {
			return fmt.Sprintf("%s is %.80s, RAPI says %.80s", key, canonical(have[key]), canonical(value))
		}
	}
	return "the row has keys that RAPI has not"
}

// unchanged compares two looks while RAPI does not answer: nothing may have moved.
func unchanged(before, now rows) (different []string) {
	for _, k := range kinds() {
		for id, was := range before[k.name] {
			is := now[k.name][id]
			if was.id != is.id || was.deleted != is.deleted {
				different = append(different, fmt.Sprintf("%s %s: its row changed", k.name, id))
				continue
			}
			for name, value := range was.values {
				if is.values[name] != value && !k.driftsIn(name) {
					different = append(different, fmt.Sprintf("%s %s: %s was %v, is %v", k.name, id, name, value, is.values[name]))
				}
			}
		}
		if len(now[k.name]) != len(before[k.name]) {
			different = append(different, fmt.Sprintf("%s: %d rows, %d before", k.name, len(now[k.name]), len(before[k.name])))
		}
	}
	return different
}

func (k kind) driftsIn(name string) bool {
	for _, c := range k.columns {
		if c.name == name {
			return c.drifts != ""
		}
	}
	return false
}
