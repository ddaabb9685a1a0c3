package ganeti

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain makes a foreign text fit for one line of a log: valid UTF-8,
// printable characters only, at most limit bytes.
func plain(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	return shorten(strings.TrimSpace(s), limit)
}

// shorten cuts s to at most limit bytes, between two characters.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const mark = "..."
	n := limit - len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}
