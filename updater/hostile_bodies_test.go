package updater_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"ganeticache/ganeti/rapisim"
)

// field has the first VM send another value of a key, as JSON text.
func (l *liar) field(key, value string) script {
	return whole(l.first(string(rapisim.SetField(key, value)([]byte(l.items[0])))))
}

// extra gives the first VM a key it does not have in life; the text is the whole pair.
func (l *liar) extra(pair string) script {
	return whole(l.first("{" + pair + ", " + l.items[0][1:]))
}

// first is the list with another text in the place of the first VM.
func (l *liar) first(item string) string {
	return list(append([]string{item}, l.items[1:]...)...)
}

// uuid of the VM with that number, as it is between its quotes.
func (l *liar) uuid(i int) string { return l.value(i, "uuid") }

func (l *liar) value(i int, key string) string {
	_, rest, _ := strings.Cut(l.items[i], fmt.Sprintf("%q: \"", key))
	text, _, _ := strings.Cut(rest, `"`)
	return text
}

func truncatedAnswers(l *liar) []hostile {
	body := list(l.items...)
	one := len(l.items[0])
	var out []hostile
	for _, c := range []struct {
		name string
		at   int
	}{
		{"before the first byte", 0},
		{"behind the opening bracket", 1},
		{"in the first key", 4},
		{"behind the first key", strings.Index(body, `":`) + 1},
		{"behind a colon", strings.Index(body, `":`) + 2},
		{"in the middle of a uuid", strings.Index(body, l.uuid(3)) + 10},
		{"behind the first item", 1 + one},
		{"behind a comma", 1 + one + 1},
		{"before the last brace", strings.LastIndex(body, "}")},
		{"before the last bracket", strings.LastIndex(body, "]")},
		{"before the line feed", len(body) - 1},
	} {
		out = append(out, hostile{name: c.name, answer: raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:c.at])), reasons: "truncated"})
		if c.at > 0 && c.at < len(body)-1 {
			out = append(out, hostile{name: c.name + ", of unknown length", answer: raw("HTTP/1.1 200 OK\r\n\r\n" + body[:c.at]), reasons: "truncated"})
		}
	}
	return out
}

func otherTypes(l *liar) []hostile {
	refuse := func(name, body string) hostile { return hostile{name: name, answer: whole(body), reasons: "not_json"} }
	hold := func(name string, s script) hostile {
		return hostile{name: name, answer: s, want: withheld, reasons: "quarantine"}
	}
	out := []hostile{
		refuse("an object", `{"instances": `+list(l.items...)+`}`), refuse("an object of objects", `{"a": `+l.items[0]+`}`), refuse("a string", `"[]"`),
		refuse("a number", "42"), refuse("true", "true"), refuse("null", "null\n"),
		hold("null items", whole("[null, null, null]")), hold("numbers", whole("[1, 2, 3]")), hold("strings", whole(`["a", "b"]`)),
		hold("a list in the list", whole("["+list(l.items...)+"]")), hold("each VM in a list", whole("[["+strings.Join(l.items, "], [")+"]]")),
		hold("one VM is null", whole(l.first("null"))), hold("one VM is its name", whole(l.first(`"`+l.value(0, "name")+`"`))),
		hold("one VM is empty", whole(l.first("{}"))), hold("one VM in an object", whole(l.first(`{"vm": `+l.items[0]+`}`))),
	}
	for _, value := range []string{"null", "5", "true", `["u"]`, `{"u": 1}`, `""`} {
		out = append(out, hold("uuid "+value, l.field("uuid", value)), hostile{name: "name " + value, answer: l.field("name", value), want: kept})
	}
	for i, key := range []string{"beparams", "hvparams", "tags", "nic.ips", "disk.sizes", "status", "ctime", "serial_no", "oper_state", "snodes"} {
		values := []string{`{"a": []}`, `[[], {}, null]`, `"x"`, "-1.5"}
		for _, value := range []string{values[i%4], values[(i+1)%4]} {
			out = append(out, hostile{name: key + " " + value, answer: l.field(key, value), want: believed})
		}
	}
	return out
}

func identities(l *liar) []hostile {
	hold := func(name string, s script) hostile {
		return hostile{name: name, answer: s, want: withheld, reasons: "quarantine"}
	}
	drop := func(key string) script { return whole(l.first(string(rapisim.DropField(key)([]byte(l.items[0]))))) }
	renamed := func(swap func(i int) string, key string) string {
		items := slices.Clone(l.items)
		for i := range items {
			items[i] = string(rapisim.SetField(key, `"`+swap(i)+`"`)([]byte(items[i])))
		}
		return list(items...)
	}
	n := len(l.items)
	return []hostile{
		hold("no uuid", drop("uuid")),
		{name: "no name", answer: drop("name"), want: kept},
		hold("a uuid of 65 bytes", l.field("uuid", `"`+strings.Repeat("a", 65)+`"`)), hold("a uuid of 1 MB", l.field("uuid", `"`+strings.Repeat("a", 1<<20)+`"`)),
		hold("a uuid with NUL", l.field("uuid", `"`+l.uuid(0)+`\u0000"`)), hold("a uuid with a line feed", l.field("uuid", `"`+l.uuid(0)+`\n"`)),
		hold("a uuid that is not UTF-8", l.field("uuid", "\""+l.uuid(0)+"\xff\"")), hold("a uuid with half a surrogate", l.field("uuid", `"`+l.uuid(0)+`\ud800"`)),
		hold("two uuids in one VM", l.extra(`"uuid": "`+l.uuid(1)+`"`)),
		{name: "the same uuid twice in one VM", answer: l.extra(`"uuid": "` + l.uuid(0) + `"`), want: believed},
		{name: "two names in one VM", answer: l.extra(`"name": "other"`), want: kept},
		{name: "a key with escapes", answer: whole(l.first(strings.Replace(l.items[0], `"uuid"`, `"\u0075uid"`, 1))), want: believed},
		hold("a key in capitals", whole(l.first(strings.Replace(l.items[0], `"uuid"`, `"UUID"`, 1)))),
		{name: "every VM twice", answer: whole(list(append(slices.Clone(l.items), l.items...)...)), want: believed},
		{name: "one VM twice, differently", answer: whole(list(append(slices.Clone(l.items), string(rapisim.SetField("status", `"x"`)([]byte(l.items[0]))))...)), want: believed},
		{name: "the same name twice", answer: l.field("name", `"`+l.value(1, "name")+`"`), want: believed},
		{name: "all names swapped", answer: whole(renamed(func(i int) string { return l.value((i+1)%n, "name") }, "name")), want: believed},
		{name: "all contents swapped", answer: whole(renamed(func(i int) string { return l.uuid((i + 1) % n) }, "uuid")), want: believed},
		{name: "in reverse", answer: whole(reversed(l.items)), want: believed},
		{name: "another uuid", answer: l.field("uuid", `"another"`), want: believed, gone: 1},
		{name: "all uuids changed", answer: whole(renamed(func(i int) string { return fmt.Sprintf("u%d", i) }, "uuid")), want: withheld, reasons: "removals_withheld"},
	}
}

func reversed(items []string) string {
	items = slices.Clone(items)
	slices.Reverse(items)
	return list(items...)
}

func texts(l *liar) []hostile {
	set := func(name, key, value string, want verdict) hostile {
		return hostile{name: name, answer: l.field(key, value), want: want}
	}
	return []hostile{
		set("a name with NUL", "name", `"a\u0000b"`, kept), set("a name with a line feed", "name", `"a\nb"`, kept), set("a name with an escape sequence", "name", `"a\u001b[2Jb"`, kept),
		set("a name from right to left", "name", `"\u202egnp.exe"`, believed), set("a name that is not UTF-8", "name", "\"a\xff\"", kept),
		set("a name of 255 bytes", "name", `"`+strings.Repeat("n", 255)+`"`, believed), set("a name of 256 bytes", "name", `"`+strings.Repeat("n", 256)+`"`, kept),
		set("a name of 1 MB", "name", `"`+strings.Repeat("n", 1<<20)+`"`, kept),
		{name: "a name of 10 MB", answer: l.field("name", `"`+strings.Repeat("n", 10<<20)+`"`), reasons: "too_large"},
		set("a status with NUL", "status", `"run\u0000ning"`, believed), set("a status of 2 KB", "status", `"`+strings.Repeat("s", 2000)+`"`, kept),
		set("a tag with half a surrogate", "tags", `["\ud800", "\udc00\ud800"]`, believed), set("tags with SQL", "tags", `["'; DROP TABLE clusters; --", "{\"a\",NULL}", "\\"]`, believed),
		set("a tag of 2 KB", "tags", `["`+strings.Repeat("t", 2000)+`"]`, kept), set("10,000 tags", "tags", "["+strings.Repeat(`"a", `, 9_999)+`"b"]`, believed), set("50,000 tags", "tags", "["+strings.Repeat(`"a", `, 50_000)+`"b"]`, kept),
		{name: "keys that are not UTF-8", answer: l.extra("\"\xff\xfe\": \"\xc0\x80\""), want: believed},
		{name: "a key with NUL", answer: l.extra(`"a\u0000": "\u0000"`), want: believed},
		{name: "a key of 1 MB", answer: l.extra(`"` + strings.Repeat("k", 1<<20) + `": 1`), want: believed},
		{name: "the same key 100,000 times", answer: l.extra(strings.Repeat(`"k": 1, `, 100_000) + `"l": 2`), want: believed},
		{name: "10,000 different keys", answer: l.extra(manyKeys(10_000)), want: believed},
		{name: "a value of 1 MB of backslashes", answer: l.extra(`"x": "` + strings.Repeat(`\\`, 1<<19) + `"`), want: believed},
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d": %d, `, i, i)
	}
	b.WriteString(`"last": 0`)
	return b.String()
}

func numbers(l *liar) []hostile {
	var out []hostile
	for _, value := range []string{
		"NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", strings.Repeat("9", 400), "0." + strings.Repeat("9", 400), "-0", "-0.0", "1e99999999999999999999", "9223372036854775808",
		"-9223372036854775809", "1E5",
	} {
		out = append(
			out,
			hostile{name: fmt.Sprintf("%.20s as a serial number", value), answer: l.field("serial_no", value), want: believed},
			hostile{name: fmt.Sprintf("%.20s somewhere", value), answer: l.extra(`"x": {"y": [` + value + `]}`), want: believed},
		)
	}
	for _, value := range []string{"01", "+1", ".5", "5.", "1e", "0x10", "1_000", "--1", "nan", "Inf", "- 1"} {
		out = append(out, hostile{name: value, answer: l.field("serial_no", value), want: withheld, reasons: "quarantine"})
	}
	for _, value := range []string{"1e300", "-1", "253402300800", `"1e300"`, "[1e18, 1e18]", "[1, -1]"} {
		out = append(out, hostile{name: value + " as a time", answer: l.field("ctime", value), want: believed})
	}
	return out
}

func depths(l *liar) []hostile {
	nested := func(n int, opening, closing string) script {
		return l.extra(`"x": ` + strings.Repeat(opening, n) + "1" + strings.Repeat(closing, n))
	}
	return []hostile{
		{name: "99 lists in a VM", answer: nested(99, "[", "]"), want: believed},
		{name: "100 lists in a VM", answer: nested(100, "[", "]"), want: kept},
		{name: "100 objects in a VM", answer: nested(100, `{"a":`, "}"), want: kept},
		{name: "9,000 lists in a VM", answer: nested(9000, "[", "]"), want: kept},
		{name: "100,000 lists in a VM", answer: nested(100_000, "[", "]"), want: withheld, reasons: "quarantine"},
		{name: "100,000 objects in a VM", answer: nested(100_000, `{"a":`, "}"), want: withheld, reasons: "quarantine"},
		{name: "1 MB of opening brackets", answer: whole(strings.Repeat("[", 1<<20)), reasons: "truncated"},
		{name: "1 MB of opening braces", answer: whole("[" + strings.Repeat("{", 1<<20)), reasons: "truncated"},
		{name: "1 MB of closing brackets", answer: whole("[" + strings.Repeat("]", 1<<20)), reasons: "not_json"},
		{name: "500,000 empty lists in one", answer: whole("[" + strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000) + "]"), want: withheld, reasons: "quarantine"},
	}
}

func notJSON(l *liar) []hostile {
	body := list(l.items...)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write([]byte(body)); err != nil || w.Close() != nil {
		panic("memory takes everything")
	}
	wide := make([]byte, 0, 2*len(body)+2)
	for _, u := range utf16.Encode([]rune("\ufeff" + body)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	var out []hostile
	for _, b := range []struct{ name, body string }{
		{"nothing", ""},
		{"a byte order mark", "\ufeff" + body},
		{"UTF-16", string(wide)},
		{"gzip", zipped.String()},
		{"HTML", "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n"},
		{"XML", `<?xml version="1.0"?><instances/>`},
		{"YAML", "- name: a\n  uuid: b\n"},
		{"a comment first", "/* all VMs */ " + body},
		{"a comment at the end", body + "// end\n"},
		{"a XSSI prefix", ")]}'\n" + body},
		{"JSONP", "callback(" + body + ");"},
		{"a NUL first", "\x00" + body},
		{"a NUL at the end", body + "\x00"},
		{"two lists", body + body},
		{"a list and an object", body + "{}"},
		{"a list and a bracket", body + "]"},
		{"JSON Lines", strings.Join(l.items, "\n") + "\n"},
		{"JSON sequence", "\x1e" + strings.Join(l.items, "\n\x1e")},
		{"items without brackets", strings.Join(l.items, ", ")},
		{"a Python traceback", "Traceback (most recent call last):\n  File \"rapi\", line 1\n"},
		{"a parenthesis", "(" + body[1:len(body)-2] + ")"},
		{"random bytes", "\x8f\x12\xee\x00\xff\x80[[{"},
		{"a shell prompt", "login: "},
	} {
		out = append(out, hostile{name: b.name, answer: whole(b.body), reasons: "not_json"})
	}
	return append(out, hostile{name: "white space only", answer: whole(" \r\n\t \n"), reasons: "truncated"})
}

func almostJSON(l *liar) []hostile {
	item := l.items[0]
	var out []hostile
	for _, b := range []struct{ name, body string }{
		{"a comma at the end", strings.TrimSuffix(list(l.items...), "]\n") + ",]\n"},
		{"a comma first", "[," + strings.Join(l.items, ",") + "]"},
		{"two commas", "[" + strings.Join(l.items, ",,") + "]"},
		{"semicolons", "[" + strings.Join(l.items, "; ") + "]"},
		{"no commas", "[" + strings.Join(l.items, " ") + "]"},
		{"colons", "[" + strings.Join(l.items, ": ") + "]"},
		{"comments between", "[" + strings.Join(l.items, ", /* next */ ") + "]"},
		{"the wrong last bracket", strings.TrimSuffix(list(l.items...), "]\n") + "}\n"},
	} {
		out = append(out, hostile{name: b.name, answer: whole(b.body), reasons: "not_json"})
	}
	for _, b := range []struct{ name, item string }{
		{"a comma at the end of a VM", strings.TrimSuffix(item, "}") + ",}"},
		{"a VM in single quotes", strings.ReplaceAll(item, `"`, "'")},
		{"a VM with bare keys", strings.ReplaceAll(item, `"uuid"`, "uuid")},
		{"Python's None", strings.Replace(item, "null", "None", 1)},
		{"a comment in a VM", strings.Replace(item, ", ", ", /* x */ ", 1)},
		{"no colon", strings.Replace(item, ": ", " ", 1)},
		{"no comma in a VM", strings.Replace(item, `, "`, ` "`, 1)},
		{"an equals sign", strings.Replace(item, ": ", "=", 1)},
		{"a raw tab in a text", strings.Replace(item, `"name": "`, "\"name\": \"\t", 1)},
		{"an unknown escape", strings.Replace(item, `"name": "`, `"name": "\x41`, 1)},
		{"half an escape", strings.Replace(item, `"name": "`, `"name": "\u12`, 1)},
		{"a bare word", strings.Replace(item, `"name": "`, `"a": undefined, "name": "`, 1)},
		{"brackets that do not match", `{"x": [}, ` + item[1:]},
	} {
		out = append(out, hostile{name: b.name, answer: whole(l.first(b.item)), want: withheld, reasons: "quarantine"})
	}
	return out
}

func runTogether(l *liar) []hostile {
	two := func(glue string) string {
		return list(append([]string{strings.TrimSuffix(l.items[0], "}") + glue + l.items[1][1:]}, l.items[2:]...)...)
	}
	hold := func(name, body string) hostile {
		return hostile{name: name, answer: whole(body), want: withheld, reasons: "quarantine"}
	}
	return []hostile{
		hold("two VMs as one", two(", ")), hold("two VMs without a comma", two(" ")), hold("a VM in a VM", list(append([]string{strings.TrimSuffix(l.items[0], "}") + ", " + l.items[1] + "}"}, l.items[2:]...)...)),
		{name: "a VM as a value of its neighbour", answer: whole(list(append([]string{strings.TrimSuffix(l.items[0], "}") + `, "x": ` + l.items[1] + "}"}, l.items[2:]...)...)), want: believed, gone: 1},
		hold("a list that is closed by a brace", list(append([]string{`{"x": [, ` + l.items[0][1:] + ", " + l.items[1] + "}"}, l.items[2:]...)...)),
		{name: "an object that is closed by a bracket", answer: whole(l.first(strings.TrimSuffix(l.items[0], "}") + "]")), reasons: "not_json"},
		hold("all VMs in a text of the first", list(strings.TrimSuffix(l.items[0], "}")+`, "x": "`+strings.Join(l.items[1:], ", ")+`"}`)),
		{name: "a brace too few", answer: whole(l.first(strings.TrimSuffix(l.items[0], "}"))), reasons: "not_json"},
		{name: "a brace too many", answer: whole(l.first(l.items[0] + "}")), reasons: "not_json"},
		{name: "a quote too few", answer: whole(l.first(strings.Replace(l.items[0], `"uuid": "`, `"uuid": `, 1))), reasons: "truncated"},
	}
}

func otherAnswers(l *liar) []hostile {
	var uris, names []string
	for i := range l.items {
		name := l.value(i, "name")
		uris = append(uris, fmt.Sprintf(`{"id": %q, "uri": "/2/instances/%s"}`, name, name))
		names = append(names, fmt.Sprintf("%q", name))
	}
	hold := func(name, body, reason string) hostile {
		return hostile{name: name, answer: whole(body), want: withheld, reasons: reason}
	}
	return []hostile{
		hold("nodes", l.bodies["/2/nodes"], "removals_withheld"), hold("groups", l.bodies["/2/groups"], "removals_withheld"), hold("networks", l.bodies["/2/networks"], "removals_withheld"),
		hold("jobs", l.bodies["/2/jobs"], "quarantine removals_withheld"),
		{name: "info", answer: whole(l.bodies["/2/info"]), reasons: "not_json"},
		{name: "one VM", answer: whole(l.items[0]), reasons: "not_json"},
		hold("bulk=0", list(uris...), "quarantine"), hold("names", list(names...), "quarantine"),
		{name: "an error with status 200", answer: whole(`{"code": 502, "message": "Bad Gateway", "explain": "x"}`), reasons: "not_json"},
		hold("errors in a list", `[{"code": 502, "message": "Bad Gateway"}]`, "quarantine"),
		{name: "the version", answer: whole("2\n"), reasons: "not_json"},
	}
}

func fewerObjects(l *liar) []hostile {
	return []hostile{
		{name: "one is gone", answer: whole(list(l.items[1:]...)), want: believed, gone: 1},
		{name: "three are gone", answer: whole(list(l.items[3:]...)), want: believed, gone: 3},
		{name: "half are gone", answer: whole(list(l.items[4:]...)), want: believed, gone: 4},
		{name: "all are gone", answer: whole("[]\n"), want: withheld, reasons: "removals_withheld"},
		{name: "all are gone, with white space", answer: whole(" [ \n ] \n"), want: withheld, reasons: "removals_withheld"},
		{name: "one is gone and one cannot be read", answer: whole(list(append([]string{"{}"}, l.items[2:]...)...)), want: withheld, reasons: "quarantine"},
	}
}
