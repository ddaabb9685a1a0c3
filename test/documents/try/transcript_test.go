package main

import "testing"

func TestCompare(t *testing.T) {
	t.Parallel()
	const said = `SHA-256 pin  C1:DC
subject      CN=x

cluster   VMs   time
────────────────────
prod       50  21 ms

{"next": null, "items": [{"name": "a"}]}
12:00:01 done`
	for _, test := range []struct {
		name, shown string
		unordered   bool
		bad         bool
	}{
		{"nothing shown", "", false, false},
		{"other values", "SHA-256 pin  9F:86\nsubject  CN=y\n…", false, false},
		{"a table with other rows", "cluster  VMs  time\n──────\nlab  7  1 s\n", false, false},
		{"a cut word", "subj…", false, false},
		{"keys of JSON", `{"items": […], "next": "…"}`, false, false},
		{"a time", "19:27:12 ready", false, false},
		{"a heading that drifted", "cluster  VMs  bytes\n──────\nlab  7  1 s\n", false, true},
		{"a line that is gone", "issuer  CN=x", false, true},
		{"a key that is gone", `{"age": 1}`, false, true},
		{"another order", "subject  CN=x\nSHA-256 pin", false, true},
		{"another order of what was interrupted", "subject  CN=x\nSHA-256 pin", true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := compare(test.shown, said, !test.unordered); (err != nil) != test.bad {
				t.Errorf("got %v, want an error: %t", err, test.bad)
			}
		})
	}
}

func TestAnswered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, typed, said string
		bad               bool
	}{
		{"success", "curl x", "{}\n[HTTP 200]", false},
		{"an error where none is documented", "curl x", "{}\n[HTTP 404]", true},
		{"the documented error", "curl x  # 404", "{}\n[HTTP 404]", false},
		{"another one", "curl x  # 404", "{}\n[HTTP 500]", true},
		{"an error in case", "curl x  # asks; 502 when it fails", "{}\n[HTTP 200]", false},
		{"no answer", "curl x", "refused", true},
		{"not curl", "make", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := answered(test.typed, test.said); (err != nil) != test.bad {
				t.Errorf("got %v, want an error: %t", err, test.bad)
			}
		})
	}
}
