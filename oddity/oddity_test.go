package oddity_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"ganeticache/oddity"
)

// odd is a way in which a password gets into a file, W standing for the word that is meant, and what is said of it.
type odd struct{ name, text, want string }

func oddities() []odd {
	wide := func(s string, low, high int) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			pair := [2]byte{}
			pair[low], pair[high] = byte(u), byte(u>>8)
			b.Write(pair[:])
		}
		return b.String()
	}
	return []odd{
		{"byte order mark", "\ufeffW", "begins with a byte order mark"},
		{"byte order mark and a blank", "\ufeffW ", "begins with a byte order mark (save the file as UTF-8 without one), and it ends with a blank"},
		{"blank before", " W", "begins with a blank"},
		{"blank after", "W ", "ends with a blank"},
		{"both", " W ", "begins with a blank, and it ends with a blank"},
		{"tab", "W\t", "ends with a tab"},
		{"line break", "W\r", "ends with a line break"},
		{"no-break space", "W\u00a0", "ends with a no-break space"},
		{"ideographic space", "\u3000W", "begins with a blank that is none of the usual ones"},
		{"no-break space inside", "W\u00a0W", "holds a blank that is none of the usual ones"},
		{"zero width", "W\u200b", "holds a character that cannot be seen"},
		{"byte order mark behind", "W\ufeff", "holds a character that cannot be seen"},
		{"soft hyphen", "W\u00adW", "holds a character that cannot be seen"},
		{"Latin-1", "W\xfcW", "is not UTF-8"},
		{"UTF-16", "\xff\xfe" + wide("W", 0, 1), "is in UTF-16"},
		{"UTF-16, big-endian", "\xfe\xff" + wide("W", 1, 0), "is in UTF-16"},
		{"UTF-16 without a mark", wide("W", 0, 1), "is in UTF-16"},
		{"quotation marks", `"W"`, "stands between quotation marks"},
		{"single quotation marks", "'W'", "stands between quotation marks"},
		{"typographic quotation marks", "„W“", "stands between quotation marks"},
		{"escaped line break", `W\n`, `ends with a backslash and an "n"`},
		{"line of the users file", "gwm W read", "begins with the user's name"},
		{"curl's form", "gwm:W", "begins with the user's name"},
		{"hash of the users file", "{ha1}W", "is a hash of RAPI's users file"},
		{"scheme of the users file", "{cleartext}W", "begins with {cleartext}"},
		{"none", "W", ""},
		{"a word of its own", "W W", ""},
		{"the user's name alone", "gwm", ""},
		{"letters", "Wäöü日本语W", ""},
		{"one quotation mark", `W"`, ""},
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, o := range oddities() {
		said := []string{}
		for _, word := range []string{"kaninchen", "7f3a", "a somewhat longer one of many words"} {
			text := strings.ReplaceAll(o.text, "W", word)
			if strings.HasPrefix(o.want, "is in UTF-16") {
				text = strings.ReplaceAll(o.text, "W\x00", strings.Join(strings.Split(word, ""), "\x00")+"\x00")
			}
			got := oddity.Explain(text, "/etc/p", "gwm")
			said = append(said, got)
			if o.want == "" && got != "" || o.want != "" && !strings.HasPrefix(got, "the password in /etc/p "+o.want) {
				t.Errorf("%s: %q, want %q", o.name, got, o.want)
			}
		}
		// It depends on nothing but the oddity: neither on the word nor on how long it is.
		if said = slices.Compact(said); len(said) != 1 {
			t.Errorf("%s: %q", o.name, said)
		}
	}
	for text, want := range map[string]string{"": "", " ": "the password begins with a blank, and it ends with a blank", `""`: ""} {
		if got := oddity.Explain(text, "", ""); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
