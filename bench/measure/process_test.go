package measure_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ganeticache/bench/measure"
)

// start runs a script of the shell as a process to measure.
func start(t *testing.T, script string) *measure.Process {
	t.Helper()
	p, err := measure.Start(t.Context(), measure.Options{
		Name: "script", Command: []string{"/bin/sh", "-c", script}, Log: filepath.Join(t.TempDir(), "log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProcess_Rounds(t *testing.T) {
	t.Parallel()
	p := start(t, `while read -r word; do printf '[\n  {\n    "word": "%s]"\n  }\n]\n' "$word"; done`)
	for _, word := range []string{"one", "two"} {
		r, err := p.Round(word)
		if err != nil {
			t.Fatal(err)
		}
		var got []struct{ Word string }
		if err := json.Unmarshal(r.Answer, &got); err != nil || len(got) != 1 || got[0].Word != word+"]" {
			t.Errorf("%q: %+v, %v", r.Answer, got, err)
		}
		if r.Wall <= 0 || r.CPU <= 0 {
			t.Errorf("wall %s, CPU %s", r.Wall, r.CPU)
		}
	}
	if p.Idle() <= 0 {
		t.Errorf("idle memory %d", p.Idle())
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// The figures are those of the round: what was spent or held before does not count.
func TestProcess_CostsOfOneRound(t *testing.T) {
	t.Parallel()
	p := start(t, `
while read -r what; do
	case $what in
	work) i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done ;;
	grow) memory=$(printf '%08000000d' 0) ;;
	esac
	echo '{}'
done`)
	cost := func(line string) measure.Round {
		r, err := p.Round(line)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	work, rest, grow := cost("work"), cost("rest"), cost("grow")
	if work.CPU < 5*time.Millisecond || rest.CPU > work.CPU/2 {
		t.Errorf("CPU of work %s, of rest %s", work.CPU, rest.CPU)
	}
	if grow.Peak < 8_000_000 || rest.Peak > grow.Peak/2 {
		t.Errorf("peak of growth %d, of rest %d", grow.Peak, rest.Peak)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestProcess_EndsEarly(t *testing.T) {
	t.Parallel()
	p := start(t, `read -r _; echo no more >&2; exit 3`)
	if _, err := p.Round("go"); err == nil || !strings.Contains(err.Error(), "no more") {
		t.Errorf("Round: %v", err)
	}
	if err := p.Close(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("Close: %v", err)
	}
}
