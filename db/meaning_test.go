package db_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

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
