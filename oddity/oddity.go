// Package oddity says what in a password is probably not meant: what editors, shells and other systems leave in the files
// and variables that passwords are kept in.
//
// No text of it holds more of a password than such a remark says, neither a part of it nor its length. A password is
// used as it is, since any of this may belong to it.
package oddity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Explain makes one sentence of the oddities of a password that came from there, such as a file, and belongs to that user;
// either may be empty. It is "" when there is none.
func Explain(password, source, username string) string {
	odd := find(password, username)
	if len(odd) == 0 {
		return ""
	}
	if source != "" {
		source = " in " + source
	}
	return "the password" + source + " " + strings.Join(odd, ", and it ")
}

// find gives the oddities, each of which completes a sentence that begins with "the password".
func find(password, username string) []string {
	var odd []string
	say := func(when bool, what string) {
		if when {
			odd = append(odd, what)
		}
	}
	text, marked := strings.CutPrefix(password, byteOrderMark)
	say(marked, "begins with a byte order mark (save the file as UTF-8 without one)")
	switch {
	case utf16(password):
		say(true, "is in UTF-16, as some programs of Windows write (save it as UTF-8 without a byte order mark)")
		return odd
	case !utf8.ValidString(text):
		say(true, "is not UTF-8 (an editor saved it in Latin-1, say)")
	}
	first, _ := utf8.DecodeRuneInString(text)
	last, _ := utf8.DecodeLastRuneInString(text)
	say(unicode.IsSpace(first), "begins with "+spaceName(first))
	say(unicode.IsSpace(last), "ends with "+spaceName(last))
	inside := strings.TrimSpace(text)
	say(strings.ContainsFunc(inside, func(r rune) bool { return r != ' ' && unicode.Is(unicode.Zs, r) }), "holds a blank that is none of the usual ones")
	say(strings.ContainsFunc(inside, invisible), "holds a character that cannot be seen")
	say(quoted(inside), "stands between quotation marks")
	say(strings.HasSuffix(inside, `\n`), `ends with a backslash and an "n"`)
	say(prefixed(inside, username), "begins with the user's name, as a line of RAPI's users file does")
	say(hasFoldedPrefix(inside, "{HA1}"), "is a hash of RAPI's users file ({HA1}), and not what it was made of")
	say(hasFoldedPrefix(inside, "{cleartext}"), "begins with {cleartext}, which belongs into RAPI's users file only")
	return odd
}

const byteOrderMark = "\ufeff"

// utf16 says whether a text is probably in UTF-16: it begins with its byte order mark, or holds NUL, as nothing that is
// written in an editor does otherwise.
func utf16(text string) bool {
	return strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") || strings.Contains(text, "\x00")
}

func spaceName(r rune) string {
	switch r {
	case ' ':
		return "a blank"
	case '\t':
		return "a tab"
	case '\n', '\r', '\v', '\f', '\u0085', '\u2028', '\u2029':
		return "a line break"
	case '\u00a0', '\u202f':
		return "a no-break space"
	}
	return "a blank that is none of the usual ones"
}

// invisible finds what takes no place on a screen: characters without a width, and marks of direction.
func invisible(r rune) bool { return unicode.Is(unicode.Cf, r) || unicode.IsControl(r) }

func quoted(text string) bool {
	for _, pair := range []string{`""`, `''`, "``", "“”", "„“", "‘’"} {
		marks := []rune(pair)
		if utf8.RuneCountInString(text) > 2 && strings.HasPrefix(text, string(marks[0])) && strings.HasSuffix(text, string(marks[1])) {
			return true
		}
	}
	return false
}

// prefixed finds "USER PASSWORD" and "USER:PASSWORD".
func prefixed(text, username string) bool {
	rest, found := strings.CutPrefix(text, username)
	return found && username != "" && rest != "" && strings.ContainsAny(rest[:1], " \t:")
}

func hasFoldedPrefix(text, prefix string) bool {
	return len(text) > len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}
