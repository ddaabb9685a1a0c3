package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A stub takes what the table knows and nothing else.
func TestStub_Parse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, typed, wrong string }{
		{"a flag and its value before the words", "kubectl -n a create secret generic b --from-file=c", ""},
		{"another program's flags", "docker compose exec updater /usr/bin/x --any", ""},
		{"an unknown flag", "docker compose up --forever", "--forever"},
		{"an unknown use", "docker swarm init", errUnknown.Error()},
		{"a use that begins likewise", "kubectl create", errUnknown.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(test.typed)
			s, ok := stubNamed("/run/documents/bin/" + words[0])
			if !ok {
				t.Fatal("there is no such stub")
			}
			_, err := s.parse(words[1:])
			if (err != nil) != (test.wrong != "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("got %v, want %q", err, test.wrong)
			}
		})
	}
}

// Every stub says why, and none of the sources stands in for a file that is gone.
func TestStubs(t *testing.T) {
	t.Parallel()
	for _, s := range stubs {
		if len(s.why) < 20 || len(s.verbs) == 0 {
			t.Errorf("%s: why %q, %d uses", s.program, s.why, len(s.verbs))
		}
		if strings.Contains(s.program, "/") {
			if _, err := os.Stat("../../../" + s.program); err != nil {
				t.Error(err)
			}
		}
	}
}

// The targets of make that have stubs are the Makefile's, and the documents with a scene are there.
func TestTables(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := stubNamed("make")
	for _, v := range s.verbs {
		if !regexp.MustCompile(`(?m)^` + v.words + `:`).Match(makefile) {
			t.Errorf("the Makefile has no target %s", v.words)
		}
	}
	for name := range scenes {
		if _, err := os.Stat("../../../" + name); err != nil {
			t.Error(err)
		}
	}
}
