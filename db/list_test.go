package db_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
)

func TestList_Scan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		src  any
		want db.List
	}{
		{"NULL", nil, nil},
		{"empty array", []byte("{}"), db.List{}},
		{"empty JSON", "[]", db.List{}},
		{"array", `{a,NULL,"NULL","b c","q\"\\"}`, db.List{"a", "", "NULL", "b c", `q"\`}},
		{"JSON", []byte(`["a", null, "null"]`), db.List{"a", "", "null"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := db.List{"left over"}
			if err := got.Scan(c.src); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, bad := range []any{5, "x", "{", `["a"`, `[1]`} {
		var l db.List
		if err := l.Scan(bad); err == nil {
			t.Errorf("%v scanned as %q", bad, l)
		}
	}
}

// FuzzList writes a list in both forms and reads it back.
func FuzzList(f *testing.F) {
	for _, s := range []string{"", "a|b", "|", `"|\|{|}|,|NULL`, "ü| \t\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := db.List(strings.Split(strings.ToValidUTF8(s, "?"), "|"))
		for _, text := range []string{db.ArrayLiteral(want), db.JSONText(want)} {
			var got db.List
			if err := got.Scan(text); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", text, diff)
			}
		}
	})
}
