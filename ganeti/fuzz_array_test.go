package ganeti_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti"
)

// space is JSON's white space; bytes.TrimSpace would trim more.
const space = " \t\r\n"

// chunks hands a body out in pieces of random sizes, a few empty ones among them.
type chunks struct {
	body []byte
	rng  *rand.Rand
}

func inChunks(body []byte, seed uint64) io.Reader {
	return &chunks{body, rand.New(rand.NewPCG(seed, 0))}
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.body) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.body[:min(len(c.body), c.rng.IntN(20))])
	c.body = c.body[n:]
	return n, nil
}

// madeOf says why a body is not the array of these items, byte for byte, with nothing but white space between.
func madeOf(body []byte, items []string) error {
	rest := bytes.Trim(body, space)
	expect := func(text string) error {
		after, found := bytes.CutPrefix(rest, []byte(text))
		if !found {
			return fmt.Errorf("%q at byte %d, found %.40q", text, len(body)-len(rest), rest)
		}
		rest = bytes.TrimLeft(after, space)
		return nil
	}
	err := expect("[")
	for i, it := range items {
		if i > 0 && err == nil {
			err = expect(",")
		}
		if err == nil {
			err = expect(it)
		}
	}
	if err == nil {
		err = expect("]")
	}
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("nothing after the end, found %.40q", rest)
	}
	return err
}

// arrays are seeds that cut at every interesting place.
func arrays(f *testing.F) [][]byte {
	f.Helper()
	seeds := [][]byte{file(f, "groups-bulk.body"), file(f, "nodes-bulk.body"), file(f, "state-error-down-up-wrongnode.body")[:6000]}
	for _, s := range []string{
		`[]`, `[{}]`, `[{"uuid":"a","name":"n"},{"uuid":"b","name":"m"}]`, `[{"uuid":"a"}{"uuid":"b"}]`, `[{"uuid":"a",]}`, `[[{]}]`,
		` [1 , 2]`, "[\"\\\\\\\"]\"]", `[{"a":"}"},{"b":"\\"}]`, `[1,]`, `[,]`, `[}`, `[]]`, `[NaN,-Infinity]`, `["a`, "\xef\xbb\xbf[]", `["\ud800",1e999]`,
	} {
		seeds = append(seeds, []byte(s))
	}
	return seeds
}

// FuzzReadArray_Accepted: what is taken for complete is, byte for byte, one array of the items that come out, and
// encoding/json takes it for one too unless it is an item in itself that is wrong.
func FuzzReadArray_Accepted(f *testing.F) {
	for i, s := range arrays(f) {
		f.Add(s, uint8(7*i), uint64(i))
	}
	f.Fuzz(func(t *testing.T, body []byte, size uint8, seed uint64) {
		d, err := ganeti.ReadArray(inChunks(body, seed), make([]byte, size), 1<<20, nil)
		if err != nil {
			return
		}
		items := changed(d)
		if err := madeOf(body, items); err != nil {
			t.Fatalf("%q is cut into %q: want %v", body, items, err)
		}
		if bytes.ContainsFunc(body, func(r rune) bool { return r == '[' || r == '{' }) && bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) > 9000 {
			return // deeper than encoding/json goes
		}
		wrong := slices.ContainsFunc(items, func(it string) bool { return !json.Valid([]byte(it)) })
		if valid := json.Valid(body); valid == wrong {
			t.Fatalf("%q: encoding/json says valid = %v, of the items one is wrong = %v", body, valid, wrong)
		}
	})
}

// FuzzReadArray_Known: an answer that resembles an earlier one gives the same, whether that one is remembered warm, came
// from a database, or is not known at all.
func FuzzReadArray_Known(f *testing.F) {
	for i, s := range arrays(f) {
		f.Add(s, uint16(5*i), uint16(i), []byte(`,{"uuid":"a"`), uint64(i))
		f.Add(s, uint16(1), uint16(0), []byte(nil), uint64(i))
	}
	f.Fuzz(func(t *testing.T, earlier []byte, at, drop uint16, insert []byte, seed uint64) {
		first, err := ganeti.ReadArray(bytes.NewReader(earlier), nil, 1<<20, nil)
		if err != nil {
			return
		}
		keys := keysOf(first)
		var m model
		var known []ganeti.Known
		for i, it := range changed(first) {
			if slices.Contains(keys[:i], keys[i]) {
				return // such keys are TestDelta_Model's
			}
			if keys[i] != "" {
				m.remember(it, keys[i])
				known = append(known, ganeti.Known{Key: keys[i], Digest: hasher.Digest([]byte(it))})
			}
		}
		from := min(int(at), len(earlier))
		body := slices.Concat(earlier[:from], insert, earlier[min(from+int(drop), len(earlier)):])
		plain, plainErr := ganeti.ReadArray(bytes.NewReader(body), nil, 1<<20, nil)
		for name, x := range map[string]*ganeti.Index{"warm": first.Index(keys, nil), "cold": ganeti.NewIndex(hasher, known)} {
			d, err := ganeti.ReadArray(inChunks(body, seed), make([]byte, seed%100), 1<<20, x)
			if (err == nil) != (plainErr == nil) {
				t.Fatalf("%q after %q: %v when %s, %v when nothing is known", body, earlier, err, name, plainErr)
			}
			if err != nil {
				continue
			}
			wantChanged, wantMissing := m.compare(changed(plain))
			if diff := cmp.Diff(wantChanged, changed(d), equateEmpty); diff != "" {
				t.Fatalf("%q after %q, %s: changed (-want +got):\n%s", body, earlier, name, diff)
			}
			if diff := cmp.Diff(wantMissing, d.Missing(), equateEmpty); diff != "" {
				t.Fatalf("%q after %q, %s: missing (-want +got):\n%s", body, earlier, name, diff)
			}
			if d.Items != plain.Items {
				t.Fatalf("%q after %q, %s: %d items, want %d", body, earlier, name, d.Items, plain.Items)
			}
		}
	})
}

// FuzzCutObject: a JSON object comes out as it went in, of other bytes only what begins and ends like one, and no
// beginning of an object is one.
func FuzzCutObject(f *testing.F) {
	for i, name := range []string{"info.body", "group.body", "job-404.body", "err-404-path.body"} {
		f.Add(file(f, name), uint8(i), uint64(i))
	}
	for i, s := range []string{`{}`, ` {"a":"}"} `, `{]}`, `{}{}`, `{"a":{}`, `[]`, `"{}"`, `null`, `{"a":"\\\""}`, "{}\x00"} {
		f.Add([]byte(s), uint8(i), uint64(i))
	}
	f.Fuzz(func(t *testing.T, body []byte, size uint8, seed uint64) {
		want := bytes.Trim(body, space)
		got, err := ganeti.CutObject(inChunks(body, seed), make([]byte, size), 1<<20)
		valid := json.Valid(body) && want[0] == '{'
		switch {
		case valid && err != nil:
			t.Fatalf("%q is refused: %v", body, err)
		case err != nil:
			return
		case !bytes.Equal(got, want) || got[0] != '{' || got[len(got)-1] != '}':
			t.Fatalf("%q gives %q", body, got)
		case !valid:
			return
		}
		for n := range min(len(want), 100) {
			if _, err := ganeti.CutObject(bytes.NewReader(want[:len(want)-1-n]), nil, 1<<20); err == nil {
				t.Fatalf("%q is taken for complete", want[:len(want)-1-n])
			}
		}
	})
}
