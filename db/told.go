package db

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// infoRules say what of info is told in changes.
type infoRules struct {
	// leftOut are the keys at the top of which nothing is told: those that follow from other objects, and those that a
	// volatile column holds.
	leftOut map[string]bool
	// copies are keys at the top whose values columns hold, too.
	copies []infoCopy
}

// infoCopy is a key at the top of info whose value a column holds. Where the column's entry has the very values of info,
// that tells enough.
type infoCopy struct {
	key, column string
	// moment says that the column is a time, which Ganeti sends as seconds since 1970.
	moment bool
}

// rules are a kind's: a column of the same name as a key holds it, and others as the kind declares.
func (t *table) rules() infoRules {
	r := infoRules{leftOut: make(map[string]bool)}
	for _, key := range t.derived {
		r.leftOut[key] = true
	}
	columns := map[string]column{"name": {name: "name"}}
	for _, c := range t.columns[t.typed:] {
		columns[c.name] = c
	}
	keys := maps.Clone(t.copies)
	if keys == nil {
		keys = make(map[string]string)
	}
	for name := range columns {
		keys[name] = name
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		c := columns[keys[key]]
		if c.volatile {
			r.leftOut[key] = true
			continue
		}
		moment := c.index != nil && t.typ.FieldByIndex(c.index).Type == reflect.TypeFor[*time.Time]()
		r.copies = append(r.copies, infoCopy{key: key, column: c.name, moment: moment})
	}
	return r
}

// addInfo adds to the columns that differ what differs within info, and says whether anything there does. The record may
// have been damaged by hand: then it is told as it is.
func addInfo(fields map[string]FieldChange, old, now JSON, rules *infoRules) (differs bool) {
	d, err := infoDifferences(old, now, rules.leftOut)
	if err != nil {
		fields[wholeInfo] = FieldChange{Old: string(old), New: json.RawMessage(now)}
		return true
	}
	maps.Copy(fields, d.fields)
	for _, c := range rules.copies {
		told, ok := fields[c.column]
		part, also := fields["/"+c.key]
		if ok && also && c.holds(told.Old, part.Old) && c.holds(told.New, part.New) {
			delete(fields, "/"+c.key)
		}
	}
	return d.any
}

// holds says whether a column's value, as it is shown, is that of info.
func (c infoCopy) holds(shown, inInfo any) bool {
	if inInfo == Absent {
		return false
	}
	text, err := json.Marshal(inInfo)
	if err != nil {
		return false
	}
	if at, ok := shown.(string); ok && c.moment && isNumber(text[0]) {
		t, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			return false
		}
		seconds, err := strconv.ParseFloat(string(text), 64)
		return err == nil && math.Abs(seconds-float64(t.UnixMicro())/1e6) < 2e-6
	}
	same, err := json.Marshal(shown)
	return err == nil && sameJSON(same, text)
}

// inInfo is a column's value as info has it, in the form of the value that is there.
func (c infoCopy) inInfo(shown, there any) any {
	at, ok := shown.(string)
	if _, number := there.(json.Number); !ok || !c.moment || !number {
		return shown
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return shown
	}
	micros := strconv.FormatInt(t.UnixMicro(), 10)
	if len(micros) <= 6 || micros[0] == '-' {
		return json.Number(strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'f', -1, 64))
	}
	whole, fraction := micros[:len(micros)-6], strings.TrimRight(micros[len(micros)-6:], "0")
	if fraction == "" {
		return json.Number(whole)
	}
	return json.Number(whole + "." + fraction)
}
