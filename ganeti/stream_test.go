package ganeti_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti"
)

func TestReadArray_Items(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	tests := []struct {
		name, body string
		want       []string
	}{
		{"empty", "[]", []string{}},
		{"empty with white space", " \r\n\t[ \n ] \n\n", []string{}},
		{"as RAPI writes it", "[{\"a\": 1}, {\"b\": 2}]\n", []string{`{"a": 1}`, `{"b": 2}`}},
		{"no white space", `[{"a":1},{"b":2}]`, []string{`{"a":1}`, `{"b":2}`}},
		{"brackets in strings", `[{"a":"]},{"},{"[{":"\"}]"}]`, []string{`{"a":"]},{"}`, `{"[{":"\"}]"}`}},
		{"rows of backslashes", `["\\", "\\\\\"", "\\\\\\\\"]`, []string{`"\\"`, `"\\\\\""`, `"\\\\\\\\"`}},
		{"scalars", `[1,-2.5e+7 ,true, null,"x",NaN,-Infinity]`, []string{"1", "-2.5e+7", "true", "null", `"x"`, "NaN", "-Infinity"}},
		{"nested arrays", `[[],[[]],[1,[2,3]]]`, []string{"[]", "[[]]", "[1,[2,3]]"}},
		{"deeper than any stack", "[" + deep + "," + deep + "]", []string{deep, deep}},
		{"wrong inside, which is the decoder's business", `[{"a" "b"},{,}]`, []string{`{"a" "b"}`, `{,}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for size := range 40 {
				d, err := ganeti.ReadArray(iotest.HalfReader(strings.NewReader(tt.body)), make([]byte, size), 1<<20, nil)
				if err != nil {
					t.Fatalf("buffer of %d: %v", size, err)
				}
				if diff := cmp.Diff(tt.want, changed(d)); diff != "" {
					t.Fatalf("buffer of %d: items (-want +got):\n%s", size, diff)
				}
				if d.Items != len(tt.want) {
					t.Errorf("Items = %d, want %d", d.Items, len(tt.want))
				}
			}
		})
	}
}

func TestReadArray_IncompleteIsAnError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       error
	}{
		{"nothing", "", ganeti.ErrNotJSON},
		{"white space", " \n", ganeti.ErrTruncated},
		{"object", `{"code": 200}`, ganeti.ErrNotJSON},
		{"HTML", "<html><body>Sign in</body></html>", ganeti.ErrNotJSON},
		{"null", "null", ganeti.ErrNotJSON},
		{"gzip", "\x1f\x8b\x08\x00", ganeti.ErrNotJSON},
		{"not closed", `[{"a":1}`, ganeti.ErrTruncated},
		{"not closed after a comma", `[{"a":1},`, ganeti.ErrTruncated},
		{"only opened", `[`, ganeti.ErrTruncated},
		{"cut in an item", `[{"a":1},{"b`, ganeti.ErrTruncated},
		{"cut in an escape", `["a\`, ganeti.ErrTruncated},
		{"cut in a number", `[1`, ganeti.ErrTruncated},
		{"comma before the end", `[{"a":1},]`, ganeti.ErrNotJSON},
		{"two commas", `[1,,2]`, ganeti.ErrNotJSON},
		{"comma first", `[,1]`, ganeti.ErrNotJSON},
		{"no comma", `[{"a":1} {"b":2}]`, ganeti.ErrNotJSON},
		{"colon", `["a":1]`, ganeti.ErrNotJSON},
		{"closing bracket of the other kind", `[{"a":1]]`, ganeti.ErrNotJSON},
		{"stray closing brace", `[}]`, ganeti.ErrNotJSON},
		{"bytes after the end", `[1] [2]`, ganeti.ErrNotJSON},
		{"NUL after the end", "[1]\x00", ganeti.ErrNotJSON},
		{"larger than allowed", `[` + strings.Repeat(" ", 2000) + `]`, ganeti.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := ganeti.ReadArray(strings.NewReader(tt.body), nil, 1000, nil)
			if !errors.Is(err, tt.want) || d != nil {
				t.Errorf("got %v, %v; want %v", d, err, tt.want)
			}
		})
	}
}

func TestReadArray_ItemLimit(t *testing.T) {
	t.Parallel()
	big := `"` + strings.Repeat("x", 16<<20) + `"`
	_, err := ganeti.ReadArray(strings.NewReader("["+big+"]"), nil, 1<<30, nil)
	if !errors.Is(err, ganeti.ErrTooLarge) {
		t.Errorf("a text of more than 16 MiB where an item belongs: got %v, want ErrTooLarge", err)
	}
	for _, large := range []string{
		"{\"uuid\": \"u\", \"x\": " + big + "}", `{"x": "` + strings.Repeat(`\\`, 9<<20) + `", "y": "\""}`, `{"x": "` + strings.Repeat(`\"`, 9<<20) + `"}`,
		"[" + strings.Repeat("[", 17<<20) + strings.Repeat("]", 17<<20) + "]", `{"x": "` + strings.Repeat("a", 16<<20-9) + `\\"}`,
	} {
		d, err := ganeti.ReadArray(strings.NewReader(`[{"a": 1},`+large+`, {"b": "\\"}]`), nil, 1<<30, nil)
		if err != nil || d.Changed() != 3 {
			t.Fatalf("%.20s…: %v", large, err)
		}
		var items []string
		for _, item := range d.Each() {
			items = append(items, string(item))
		}
		if items[0] != `{"a": 1}` || items[2] != `{"b": "\\"}` || len(items[1]) != 64<<10 || !strings.HasPrefix(large, items[1]) {
			t.Errorf("%.20s…: the neighbours are %q and %q, and %d bytes are kept of it", large, items[0], items[2], len(items[1]))
		}
		if _, err := ganeti.ReadArray(strings.NewReader(`[{"a": 1},`+large[:len(large)-1]), nil, 1<<30, nil); !errors.Is(err, ganeti.ErrTruncated) {
			t.Errorf("%.20s… without its end: %v", large, err)
		}
		if _, err := ganeti.ReadArray(strings.NewReader(`[`+large+`]`), nil, 18<<20, nil); !errors.Is(err, ganeti.ErrTooLarge) && len(large) > 18<<20 {
			t.Errorf("%.20s… above the limit of the answer: %v", large, err)
		}
	}
	fits := big[:16<<20-1] + `"`
	d, err := ganeti.ReadArray(strings.NewReader("["+fits+","+fits+"]"), nil, 1<<30, nil)
	if err != nil || d.Changed() != 2 {
		t.Errorf("two items of 16 MiB: %v", err)
	}
}

func TestReadArray_ReaderErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	body := `[{"a":1}]`
	for n := range len(body) + 1 {
		r := io.MultiReader(strings.NewReader(body[:n]), iotest.ErrReader(broken))
		if d, err := ganeti.ReadArray(r, nil, 1000, nil); !errors.Is(err, broken) || d != nil {
			t.Errorf("broken after %d bytes: got %v, %v", n, d, err)
		}
	}
	idle := readerFunc(func([]byte) (int, error) { return 0, nil })
	if _, err := ganeti.ReadArray(idle, nil, 1000, nil); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that brings nothing: got %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestReadArray_Recordings(t *testing.T) {
	t.Parallel()
	for _, name := range bulkFiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := file(t, name)
			var want []string
			for _, item := range itemsOf(t, body) {
				want = append(want, string(item))
			}
			d := read(t, body, nil)
			if diff := cmp.Diff(want, changed(d)); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			for i := range 50 {
				n := 2 + i*(len(body)-2)/50 // all but "]\n" at least
				cut := body[:len(body)-n]
				if _, err := ganeti.ReadArray(bytes.NewReader(cut), make([]byte, 4096), 1<<30, nil); err == nil {
					t.Fatalf("cut to %d of %d bytes: taken for complete", len(cut), len(body))
				}
			}
		})
	}
}

// bulkFiles are the recorded bulk answers.
var bulkFiles = []string{
	"instances-bulk.body", "instances-bulk-500.body", "nodes-bulk.body", "nodes-bulk-500.body", "groups-bulk.body",
	"networks-bulk.body", "jobs-bulk.body", "fail-noded-hung-bulk.body", "fail-wconfd-stopped-bulk.body", "state-back.body",
	"state-error-down-up-wrongnode.body", "state-nodedown-bulk.body", "state-nodedown-nodes.body",
	"state-nodeoffline-bulk.body", "state-nodeoffline-nodes.body",
}

// FuzzReadArray lets encoding/json judge: what it takes for an array we cut
// into the same items, however the bytes arrive, and no beginning of it is
// complete. Of other bytes we only ask that they do no harm.
func FuzzReadArray(f *testing.F) {
	for _, s := range []string{`[]`, `[{"a":"\\\"]"},[1,2],3]`, ` [ null , "x" ] `, `{}`, `[1,]`, `["\u0041"`, "[{]}", `[NaN]`} {
		f.Add([]byte(s), uint8(3))
	}
	f.Add(file(f, "groups-bulk.body"), uint8(0))
	f.Fuzz(func(t *testing.T, body []byte, size uint8) {
		var judged []json.RawMessage
		valid := json.Unmarshal(body, &judged) == nil && judged != nil
		readers := map[string]io.Reader{
			"whole":        bytes.NewReader(body),
			"one byte":     iotest.OneByteReader(bytes.NewReader(body)),
			"halves":       iotest.HalfReader(bytes.NewReader(body)),
			"data and EOF": iotest.DataErrReader(bytes.NewReader(body)),
		}
		var first []string
		var firstErr error
		for name, r := range readers {
			d, err := ganeti.ReadArray(r, make([]byte, size), 1<<20, nil)
			if valid && err != nil {
				t.Fatalf("%s: a JSON array is refused: %v", name, err)
			}
			var got []string
			if err == nil {
				got = changed(d)
			}
			if first == nil && firstErr == nil {
				first, firstErr = got, err
			}
			if diff := cmp.Diff(first, got); diff != "" || (err == nil) != (firstErr == nil) {
				t.Fatalf("%s: differs from another chunking: %v, %v\n%s", name, firstErr, err, diff)
			}
		}
		if !valid {
			return
		}
		want := make([]string, len(judged))
		for i, item := range judged {
			want[i] = string(bytes.TrimSpace(item))
		}
		if diff := cmp.Diff(want, first); diff != "" {
			t.Fatalf("items (-want +got):\n%s", diff)
		}
		body = bytes.TrimSpace(body)
		for n := range min(len(body), 200) {
			if _, err := ganeti.ReadArray(bytes.NewReader(body[:len(body)-1-n]), nil, 1<<20, nil); err == nil {
				t.Fatalf("%q is taken for complete", body[:len(body)-1-n])
			}
		}
	})
}
