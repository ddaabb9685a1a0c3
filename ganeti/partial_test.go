package ganeti_test

import "testing"

// TestDelta_PartialRecord: an item that could not be remembered has to be seen to be gone, or what was noted about it
// would stay for good.
func TestDelta_PartialRecord(t *testing.T) {
	t.Parallel()
	a, nobody := item("a", 1), `{"name": "nobody"}`
	first := read(t, join([]string{a}), nil)
	known := first.Index(keysOf(first), nil)
	odd := read(t, join([]string{a, nobody}), known)
	after := odd.Index(keysOf(odd), nil)
	good := read(t, join([]string{a}), after)
	if good.Unchanged() || good.Changed() != 0 || len(good.Missing()) != 0 {
		t.Errorf("the first answer without it: Unchanged = %t, %d changed, missing %v; want a difference, and no item", good.Unchanged(), good.Changed(), good.Missing())
	}
	if again := read(t, join([]string{a}), good.Index(nil, nil)); !again.Unchanged() {
		t.Error("the second answer without it is not Unchanged")
	}
}
