package printable_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"ganeticache/printable"
)

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                  "",
		"web1.example.org":                  "web1.example.org",
		"naïve Ünïcødé 日本語 ελ 👍":            "naïve Ünïcødé 日本語 ελ 👍",
		"no-break\u00a0and\u3000wide":       "no-break\u00a0and\u3000wide",
		"a\nb\tc\r":                         `a\nb\tc\u000d`,
		"\x1b[31mred\x1b[0m":                `\u001b[31mred\u001b[0m`,
		"\x00\x7f\u0085\u009b1m":            `\u0000\u007f\u0085\u009b1m`,
		"evil\u202egnp.exe":                 `evil\u202egnp.exe`,
		"\u2066\u2069\u200e\u200f\u061c":    `\u2066\u2069\u200e\u200f\u061c`,
		"zero\u200bwidth\u200d\ufeff\u2060": `zero\u200bwidth\u200d\ufeff\u2060`,
		"\u00ad\u034f\u115f\u3164\uffa0":    `\u00ad\u034f\u115f\u3164\uffa0`,
		"\u2028\u2029":                      `\u2028\u2029`,
		"tag\U000e0041":                     `tag\udb40\udc41`,
		"\ufe0f\U000e0100":                  `\ufe0f\udb40\udd00`,
		"\ue000\U0010ffff":                  `\ue000\udbff\udfff`,
		"bad \xff\xc3 utf-8":                "bad \ufffd\ufffd utf-8",
	} {
		if got := printable.Text(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestJSON: a document keeps its meaning.
func TestJSON(t *testing.T) {
	t.Parallel()
	in := map[string]string{"evil\u202e": "\x1b\u009b\u200b\U000e0041\x7f\ufeff👍", "plain": "x"}
	doc, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	clean := printable.JSON(doc)
	var out map[string]string
	if err := json.Unmarshal(clean, &out); err != nil {
		t.Fatalf("%s: %v", clean, err)
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Errorf("(-in +out):\n%s", diff)
	}
	for _, r := range string(clean) {
		if !printable.Rune(r) {
			t.Errorf("%U is left in %q", r, clean)
		}
	}
	if plain := []byte(`{"a": "b"}`); &printable.JSON(plain)[0] != &plain[0] {
		t.Error("a harmless document is copied")
	}
}

// TestWriter: however a stream is cut into writes, the same comes out.
func TestWriter(t *testing.T) {
	t.Parallel()
	const in = "line 1\nd\u00e9j\u00e0\t\u202evu 👍\U000e0041\x1b[2J\xff end\n"
	const want = "line 1\nd\u00e9j\u00e0\t\\u202evu 👍\\udb40\\udc41\\u001b[2J\ufffd end\n"
	for size := 1; size <= len(in); size++ {
		var out bytes.Buffer
		w := printable.NewWriter(&out)
		for rest := in; rest != ""; {
			n := min(size, len(rest))
			if _, err := fmt.Fprint(w, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if got := out.String(); got != want {
			t.Errorf("in pieces of %d: got %q", size, got)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("web1", 3)
	f.Add("\u202e\x1b\U000e0041\xff\n", 1)
	f.Fuzz(func(t *testing.T, s string, size int) {
		fit := func(name, text string) {
			for _, r := range text {
				if !printable.Rune(r) && (name == "Text" || r != '\n' && r != '\t') {
					t.Errorf("%s of %q has %U", name, s, r)
				}
			}
			if !utf8.ValidString(text) {
				t.Errorf("%s of %q is no UTF-8", name, s)
			}
		}
		fit("Text", printable.Text(s))
		var out strings.Builder
		w := printable.NewWriter(&out)
		for rest := s + "."; rest != ""; {
			n := min(max(size, 1), len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		fit("Writer", out.String())
		doc, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var was, is string
		if json.Unmarshal(doc, &was) != nil || json.Unmarshal(printable.JSON(doc), &is) != nil || was != is {
			t.Errorf("%q became %q in JSON", was, is)
		}
	})
}
