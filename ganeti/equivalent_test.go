package ganeti_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"ganeticache/ganeti"
)

func TestEquivalent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{
		{`{"a": 1, "b": [2]}`, `{"b":[2],"a":1}`, true},
		{`{"a": {"x": 1, "y": 2}}`, `{"a": {"y": 2, "x": 1}}`, true},
		{`1`, `1.0`, true},
		{`100`, `1e2`, true},
		{`100`, `0.1E+3`, true},
		{`0.001`, `1e-3`, true},
		{`1e5`, `1e05`, true},
		{`0`, `-0.0`, true},
		{`0`, `0e9`, true},
		{`"A\/"`, `"\u0041/"`, true},
		{`"ü"`, `"\u00fc"`, true},
		{`{"a": 1, "a": 2}`, `{"a": 2}`, true},
		{`NaN`, `null`, true},
		{`1795367905129891840`, `1795367905129891841`, false},
		{`1795367905.1298918`, `1795367905.1298919`, false},
		{`1`, `-1`, false},
		{`10`, `1`, false},
		{`1`, `"1"`, false},
		{`1e0`, `"1e0"`, false},
		{`null`, `false`, false},
		{`null`, `{}`, false},
		{`[]`, `{}`, false},
		{`[]`, `null`, false},
		{`[1, 2]`, `[2, 1]`, false},
		{`[1]`, `[1, 1]`, false},
		{`{"a": null}`, `{}`, false},
		{`{"a": 1}`, `{"A": 1}`, false},
		{`{"a": 1}`, `{"a": 1`, false},
		{`x`, `y`, false},
		{`x`, `x`, true},
	}
	for _, tt := range tests {
		if got := ganeti.Equivalent([]byte(tt.a), []byte(tt.b)); got != tt.want {
			t.Errorf("Equivalent(%s, %s) = %t", tt.a, tt.b, got)
		}
		if got := ganeti.Equivalent([]byte(tt.b), []byte(tt.a)); got != tt.want {
			t.Errorf("Equivalent(%s, %s) = %t", tt.b, tt.a, got)
		}
	}
}

// TestEquivalent_Recordings: written anew by another encoder, with the names
// in another order, a recorded item keeps its meaning, and loses it when one
// digit changes.
func TestEquivalent_Recordings(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"instance-kvm.body", "job-error.body", "info.body", "group.body"} {
		raw := file(t, name)
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		other, err := json.MarshalIndent(v, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if !ganeti.Equivalent(raw, other) {
			t.Errorf("%s: not equivalent to itself in another order", name)
		}
		if changed := strings.Replace(string(other), "1", "2", 1); ganeti.Equivalent(raw, []byte(changed)) {
			t.Errorf("%s: equivalent to something else", name)
		}
	}
}

// FuzzEquivalent lets encoding/json judge where its floats are exact enough:
// what it reads as different is different.
func FuzzEquivalent(f *testing.F) {
	f.Add([]byte(`{"a": [1, 2.50, "x"], "b": null}`), []byte(`{"b":null,"a":[1.0,25e-1,"\u0078"]}`))
	f.Add([]byte(`1e5`), []byte(`100000`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		same := ganeti.Equivalent(a, b)
		if same != ganeti.Equivalent(b, a) {
			t.Fatalf("%q and %q: not symmetric", a, b)
		}
		var x, y any
		if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil || bytes.Equal(a, b) {
			return
		}
		if same && !reflect.DeepEqual(x, y) && !strings.ContainsAny(string(a)+string(b), "eE\\") {
			t.Fatalf("%q and %q are taken for equivalent", a, b)
		}
	})
}
