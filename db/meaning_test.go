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
		{"digits beyond float64", `{"a": 9007199254740993}`, `{"a": 9007199254740992}`, []string{"a"}},
		{"number and string", `{"a": 1}`, `{"a": "1"}`, []string{"a"}},
		{"null and absent", `{"a": null}`, `{}`, []string{"a"}},
		{"list order", `{"a": [1, 2], "b": 1}`, `{"a": [2, 1], "b": 1}`, []string{"a"}},
		{"nested", `{"a": {"b": {"c": 1}}}`, `{"a": {"b": {"c": 1, "d": 1}}}`, []string{"a"}},
		{"added", `{}`, `{"a": false}`, []string{"a"}},
		{"exponents of a bomb", `{"a": 1e999999999}`, `{"a": 10e999999998}`, []string{"a"}},
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
	for _, bad := range []string{"", "{", "{} x", "nul"} {
		if _, err := db.InfoDifferences(db.JSON(bad), db.JSON("{}")); err == nil {
			t.Errorf("%q passed for JSON", bad)
		}
	}
}
