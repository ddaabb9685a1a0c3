package ganeti_test

import (
	"bytes"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ganeticache/ganeti"
)

// model is what Delta promises, written without any cleverness.
type model struct {
	remembered []string // bytes
	keys       []string
	ghosts     []string
}

func (m *model) remember(it, key string) {
	m.remembered = append(m.remembered, it)
	m.keys = append(m.keys, key)
}

func (m *model) compare(answer []string) (changed, missing []string) {
	came := map[string]bool{} // keys of which a known item came
	for _, it := range answer {
		if i := slices.Index(m.remembered, it); i >= 0 {
			came[m.keys[i]] = true
		} else {
			changed = append(changed, it)
		}
	}
	for _, key := range append(slices.Clone(m.keys), m.ghosts...) {
		if key != "" && !came[key] && !slices.Contains(missing, key) {
			missing = append(missing, key)
		}
	}
	return changed, missing
}

// mutate makes the next answer out of the last one.
func mutate(t *rapid.T, answer []string) []string {
	answer = slices.Clone(answer)
	for range rapid.IntRange(0, 4).Draw(t, "mutations") {
		at := rapid.IntRange(0, len(answer)).Draw(t, "at")
		fresh := rapid.SampledFrom([]string{
			item(rapid.StringMatching(`[a-h]`).Draw(t, "key"), rapid.IntRange(0, 12).Draw(t, "version")),
			rapid.StringMatching(`1[0-9]{0,2}`).Draw(t, "number"), `"a"`, `"ab"`, `[]`, `{}`,
		}).Draw(t, "fresh")
		switch kind := rapid.IntRange(0, 4).Draw(t, "kind"); {
		case kind == 0 || at == len(answer):
			answer = slices.Insert(answer, at, fresh)
		case kind == 1:
			answer = slices.Delete(answer, at, at+1)
		case kind == 2:
			answer[at] = fresh
		case kind == 3:
			answer = slices.Insert(answer, at, answer[at])
		default:
			other := rapid.IntRange(0, len(answer)-1).Draw(t, "other")
			answer[at], answer[other] = answer[other], answer[at]
		}
	}
	return answer
}

// keyOf is a function of the bytes, as in life; some items have no key.
func keyOf(it string) string {
	if key, _ := ganeti.Identify([]byte(it)); key != "" {
		return key
	}
	if it == "{}" {
		return ""
	}
	return "the " + it
}

// TestDelta_Model follows a resource over several answers, warm and cold, and
// compares each with the model.
func TestDelta_Model(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var m model
		var known *ganeti.Index
		var answer []string
		for range 12 {
			answer = mutate(t, answer)
			wantChanged, wantMissing := m.compare(answer)
			body := bytes.NewReader(join(answer))
			buffer := make([]byte, rapid.IntRange(0, 200).Draw(t, "buffer"))
			d, err := ganeti.ReadArray(iotest.HalfReader(body), buffer, 1<<20, known)
			if err != nil {
				t.Fatalf("%q: %v", answer, err)
			}
			if diff := cmp.Diff(wantChanged, changed(d), equateEmpty); diff != "" {
				t.Fatalf("%q: changed (-want +got):\n%s", answer, diff)
			}
			if diff := cmp.Diff(wantMissing, d.Missing(), equateEmpty); diff != "" {
				t.Fatalf("%q: missing (-want +got):\n%s", answer, diff)
			}
			known = m.advance(t, d, answer)
		}
	})
}

// advance remembers an answer in the model and returns the same as an index.
func (m *model) advance(t *rapid.T, d *ganeti.Delta, answer []string) *ganeti.Index {
	forget := rapid.SampledFrom([]string{"", "the 1", "a", "the []"}).Draw(t, "forget")
	var keys []string
	for _, it := range changed(d) {
		key := keyOf(it)
		if key == forget {
			key = ""
		}
		keys = append(keys, key)
	}
	shared := m.shared(answer, keys)
	var next model
	fresh := 0
	for _, it := range answer {
		i := slices.Index(m.remembered, it)
		var key string
		if i >= 0 {
			key = m.keys[i]
		} else {
			key = keys[fresh]
			fresh++
		}
		if (i >= 0 || key != "") && !slices.Contains(shared, key) {
			next.remember(it, key)
		}
	}
	if rapid.Bool().Draw(t, "restart") { // the database forgets the order and ghosts are rows like others
		for _, key := range shared {
			next.remember("what the row holds of "+key, key)
		}
		known := make([]ganeti.Known, len(next.keys))
		for i, it := range next.remembered {
			known[i] = ganeti.Known{Key: next.keys[i], Digest: hasher.Digest([]byte(it))}
		}
		*m = next
		return ganeti.NewIndex(hasher, known)
	}
	if rapid.Bool().Draw(t, "ghosts") {
		next.ghosts = d.Missing()
	}
	x := d.Index(keys, next.ghosts)
	next.ghosts = append(slices.Clone(next.ghosts), shared...)
	*m = next
	return x
}

// shared lists the keys of the changed items, given in order, that another item of the answer has too.
func (m *model) shared(answer, changed []string) []string {
	all := slices.Clone(changed)
	for _, it := range answer {
		if i := slices.Index(m.remembered, it); i >= 0 {
			all = append(all, m.keys[i])
		}
	}
	var shared []string
	for i, key := range changed {
		if key != "" && slices.Contains(slices.Delete(slices.Clone(all), i, i+1), key) {
			shared = append(shared, key)
		}
	}
	slices.Sort(shared)
	return slices.Compact(shared)
}
