package db_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ganeticache/db"
)

func TestInfoDifferences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, old, now string
		want           []string
	}{
		{"order and space", `{"a": 1, "b": [1, {"c": null}]}`, "{\"b\":[1,{\"c\":null}],\n\"a\":1}", nil},
		{"number spelling", `{"a": 1.50, "b": 1e3, "c": 0, "d": -0.0}`, `{"a": 1.5, "b": 1000, "c": -0, "d": 0}`, nil},
		{"string spelling", `{"a": "\u00fc\/"}`, `{"a": "ü/"}`, nil},
		{"digits beyond float64", `{"a": 9007199254740993}`, `{"a": 9007199254740992}`, []string{"/a"}},
		{"number and string", `{"a": 1}`, `{"a": "1"}`, []string{"/a"}},
		{"null and absent", `{"a": null}`, `{}`, []string{"/a"}},
		{"list order", `{"a": [1, 2], "b": 1}`, `{"a": [2, 1], "b": 1}`, []string{"/a"}},
		{"nested", `{"a": {"b": {"c": 1}}}`, `{"a": {"b": {"c": 1, "d": 1}}}`, []string{"/a/b/d"}},
		{"added", `{}`, `{"a": false}`, []string{"/a"}},
		{"emptied", `{"a": {"b": 1}, "c": [[1]]}`, `{"a": {}, "c": []}`, []string{"/a/b", "/c/0"}},
		{"object and list", `{"a": {}, "b": []}`, `{"a": [], "b": {}}`, []string{"/a", "/b"}},
		{"by element", `{"a": [{"b": 1}, 2]}`, `{"a": [{"b": 2}, 2, 3]}`, []string{"/a/0/b", "/a/2"}},
		{"escapes of pointers", `{"a/b": {"~": 1}, "": 1}`, `{"a/b": {"~": 2}, "": 2}`, []string{"/", "/a~1b/~0"}},
		{"escapes of keys", `{"\u0061": 1, "\"": 1}`, `{"a": 1, "\u0022": 2}`, []string{"/\""}},
		{"a key twice", `{"a": 1, "a": 2}`, `{"a": 2}`, nil},
		{"a key twice, the other way round", `{"a": 1, "a": 2}`, `{"a": 2, "a": 1}`, []string{"/a"}},
		{"a key twice within", `{"x": {"a": 1, "a": 2}}`, `{"x": {"a": 2, "a": 1}}`, []string{"/x/a"}},
		{"keys that swap values", `{"x": {"a": 1, "b": 2}}`, `{"x": {"a": 2, "b": 1}}`, []string{"/x/a", "/x/b"}},
		{"keys that swap objects", `{"x": {"a": {"c": 1}, "b": {"c": 2}}}`, `{"x": {"b": {"c": 1}, "a": {"c": 2}}}`, []string{"/x/a/c", "/x/b/c"}},
		{"one more empty value", `{"x": {"a": {}}}`, `{"x": {"a": {}, "b": {}}}`, []string{"/x/b"}},
		{"nested lists", `{"x": [[1], []]}`, `{"x": [[], [1]]}`, []string{"/x/0", "/x/1"}},
		{"strings with brackets", `{"a": "}", "b": "\"]", "c": 1}`, `{"c": 2, "b": "\"]", "a": "}"}`, []string{"/c"}},
		{"exponents of a bomb", `{"a": 1e999999999}`, `{"a": 10e999999998}`, []string{"/a"}},
		{"the same bomb", `{"a": 1e999999999}`, `{"a": 1e999999999}`, nil},
		{"no objects", `[1]`, `[2]`, []string{"info"}},
		{"no objects, the same", `[1]`, `[1.0]`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fields := must(db.InfoDifferences(db.JSON(c.old), db.JSON(c.now)))(t)
			if diff := cmp.Diff(c.want, slices.Sorted(maps.Keys(fields))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, bad := range []string{"", "{", "{} x", "nul", "[", `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{1:1}`, `{"a" 1}`} {
		if _, err := db.InfoDifferences(db.JSON(bad), db.JSON(`{"b": 0}`)); err == nil {
			t.Errorf("%q passed for JSON", bad)
		}
	}
}

// TestInfoDifferences_Shuffled: two objects differ in what was changed, however the keys of either are ordered.
func TestInfoDifferences_Shuffled(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SampledFrom([]string{"1", "1.0", "null", `"a"`, `"\u0061"`, "{}", "[]", `[1, {"z": 1}]`, `{"p": {"q": [1, 2]}, "r": ""}`})
		object := func(members map[string]string, label string) string {
			keys := rapid.Permutation(slices.Sorted(maps.Keys(members))).Draw(t, label)
			var parts []string
			for _, k := range keys {
				parts = append(parts, fmt.Sprintf("%q: %s", k, members[k]))
			}
			return "{" + strings.Join(parts, ", ") + "}"
		}
		old := rapid.MapOf(rapid.StringMatching("[a-e]{1,2}"), value).Draw(t, "members")
		now := maps.Clone(old)
		for _, k := range rapid.SliceOf(rapid.StringMatching("[a-e]{1,2}")).Draw(t, "changed") {
			if now[k] = value.Draw(t, "value"); rapid.Bool().Draw(t, "dropped") {
				delete(now, k)
			}
		}
		want := map[string]bool{}
		for k := range maps.Keys(old) {
			want[k] = true
		}
		for k := range maps.Keys(now) {
			want[k] = true
		}
		maps.DeleteFunc(want, func(k string, _ bool) bool {
			var a, b any
			was, is := old[k], now[k]
			return was != "" && is != "" && json.Unmarshal([]byte(was), &a) == nil && json.Unmarshal([]byte(is), &b) == nil && cmp.Equal(a, b)
		})
		fields, err := db.InfoDifferences(db.JSON(`{"x": `+object(old, "old")+"}"), db.JSON(`{"x": `+object(now, "now")+"}"))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for pointer := range maps.Keys(fields) {
			got[strings.Split(pointer, "/")[2]] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
