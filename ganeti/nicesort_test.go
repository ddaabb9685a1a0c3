package ganeti_test

import (
	"encoding/json"
	"testing"

	"ganeticache/ganeti"
)

func TestCompareNames(t *testing.T) {
	t.Parallel()
	sorted := []string{
		"", "1.example.org", "9z", "10", "010a", "a", "a9", "a10", "a10b", "node1.example.org", "node2.example.org",
		"node10.example.org", "node10.example.org.", "web", "web-2", "web.1",
	}
	for i, a := range sorted {
		for j, b := range sorted {
			got := ganeti.CompareNames(a, b)
			if want := min(max(i-j, -1), 1); min(max(got, -1), 1) != want {
				t.Errorf("CompareNames(%q, %q) = %d, want the sign of %d", a, b, got, want)
			}
		}
	}
}

// What a real cluster lists is in this order.
func TestCompareNames_Recording(t *testing.T) {
	t.Parallel()
	var instances []struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(file(t, "instances-bulk-500.body"), &instances); err != nil {
		t.Fatal(err)
	}
	if len(instances) < 10 {
		t.Fatalf("only %d instances are recorded", len(instances))
	}
	for i := range instances[1:] {
		if a, b := instances[i].Name, instances[i+1].Name; ganeti.CompareNames(a, b) >= 0 {
			t.Errorf("%s stands before %s", a, b)
		}
	}
}
