package updater_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"ganeticache/ganeti/rapisim"
)

// answer has a head and a body of any kind.
func answer(head, body string) script {
	return raw("HTTP/1.1 200 OK\r\n" + head + "\r\n" + body)
}

func infos(l *liar) []hostile {
	info := l.bodies["/2/info"]
	set := func(key, value string) string { return string(rapisim.SetField(key, value)([]byte(info))) }
	believe := func(name, body string) hostile {
		return hostile{name: name, path: "/2/info", answer: whole(body), want: believed}
	}
	var out []hostile
	for _, b := range []struct{ name, body, reasons string }{
		{"a list", "[]", "not_json"},
		{"null", "null", "not_json"},
		{"nothing", "", "not_json"},
		{"HTML", "<html>", "not_json"},
		{"two objects", info + info, "not_json"},
		{"cut", info[:len(info)/2], "truncated"},
		{"an empty object", "{}", "other"},
		{"no uuid", set("uuid", "null"), "other"},
		{"an empty uuid", set("uuid", `""`), "other"},
		{"another uuid", set("uuid", `"another"`), "other_cluster"},
		{"a uuid of 1 MB", set("uuid", `"`+strings.Repeat("u", 1<<20)+`"`), "other"},
		{"two uuids", `{"uuid": "another", ` + info[1:], "other"},
		{"brackets that do not match", `{"x": [}, ` + strings.TrimSuffix(info, "}\n") + "]}", "not_json"},
	} {
		out = append(out, hostile{name: b.name, path: "/2/info", answer: whole(b.body), reasons: b.reasons})
	}
	return append(
		out,
		believe("no name", set("name", "[]")),
		believe("1,000 deep", `{"x": `+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+", "+info[1:]),
		believe("a master of 1 MB", set("master", `"`+strings.Repeat("m", 1<<20)+`"`)),
		believe("50,000 tags", set("tags", "["+strings.Repeat(`"t", `, 50_000)+`"u"]`)),
		believe("NaN", set("ctime", "NaN")),
	)
}

func lengths(l *liar) []hostile {
	body := list(l.items...)
	n := len(body)
	refuse := func(name, head, reasons string) hostile {
		return hostile{name: name, answer: answer(head, body), reasons: reasons}
	}
	believe := func(name, head, body string) hostile {
		return hostile{name: name, answer: answer(head, body), want: believed}
	}
	return []hostile{
		refuse("one byte more", fmt.Sprintf("Content-Length: %d\r\n", n+1), "truncated"), refuse("one byte less than the list", fmt.Sprintf("Content-Length: %d\r\n", n-2), "truncated"),
		refuse("0", "Content-Length: 0\r\n", "not_json"), refuse("-1", "Content-Length: -1\r\n", "not_json"), refuse("a word", "Content-Length: many\r\n", "not_json"),
		refuse("an exabyte", "Content-Length: 1000000000000000000\r\n", "too_large"), refuse("30 digits", "Content-Length: 100000000000000000000000000000\r\n", "not_json"),
		refuse("two different ones", fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n", n, n-5), "not_json"), refuse("one byte above the limit", fmt.Sprintf("Content-Length: %d\r\n", 8<<20+1), "too_large"),
		believe("the same one twice", fmt.Sprintf("Content-Length: %d\r\nContent-Length: %[1]d\r\n", n), body), believe("none", "", body),
		believe("bytes behind the announced ones", fmt.Sprintf("Content-Length: %d\r\n", n), body+"[]\nHTTP/1.1 200 OK\r\n\r\n[]"),
		{name: "none, and no farewell of TLS", answer: func(conn *tls.Conn) { send(conn, "HTTP/1.1 200 OK\r\n\r\n"+body); conn.NetConn().Close() }, want: believed},
		{name: "none, cut without farewell of TLS", answer: func(conn *tls.Conn) { send(conn, "HTTP/1.1 200 OK\r\n\r\n"+body[:n-2]); conn.NetConn().Close() }, reasons: "truncated"},
	}
}

func chunkedAnswers(l *liar) []hostile {
	body := list(l.items...)
	chunk := func(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }
	var bytewise strings.Builder
	for i := range body[:1000] {
		bytewise.WriteString(chunk(body[i : i+1]))
	}
	bytewise.WriteString(chunk(body[1000:]) + "0\r\n\r\n")
	const head = "Transfer-Encoding: chunked\r\n"
	refuse := func(name, head, body, reasons string) hostile {
		return hostile{name: name, answer: answer(head, body), reasons: reasons}
	}
	return []hostile{
		{name: "one chunk", answer: answer(head, chunk(body)+"0\r\n\r\n"), want: believed},
		{name: "chunks of a byte", answer: answer(head, bytewise.String()), want: believed},
		{name: "a length too, which does not count", answer: answer(head+"Content-Length: 5\r\n", chunk(body)+"0\r\n\r\n"), want: believed},
		{name: "a trailer", answer: answer(head, chunk(body)+"0\r\nX: y\r\n\r\n"), want: believed},
		refuse("no last chunk", head, chunk(body), "truncated"), refuse("cut in a chunk", head, chunk(body)[:500], "truncated"), refuse("no sizes", head, body, "truncated"),
		refuse("a negative size", head, "-5\r\n"+body, "truncated"), refuse("a huge size", head, "ffffffffffffffff\r\n"+body, "truncated"), refuse("a size of 20 digits", head, strings.Repeat("f", 20)+"\r\n"+body, "truncated"),
		refuse("1 MB of extension", head, "5;"+strings.Repeat("x", 1<<20)+"\r\n"+body, "truncated"), refuse("1 MB of trailer", head, chunk(body)+"0\r\nX: "+strings.Repeat("y", 1<<20)+"\r\n\r\n", "truncated"),
		refuse("chunks of nothing but size", head, strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\n \r\n", 2000), "truncated too_large"),
		refuse("gzip", "Transfer-Encoding: gzip\r\n", body, "not_json"), refuse("twice", head+head, chunk(body)+"0\r\n\r\n", "not_json"),
	}
}

func headers(l *liar) []hostile {
	body := list(l.items...)
	length := fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))
	good := "HTTP/1.1 200 OK\r\n" + length + body
	var out []hostile
	for _, c := range []struct{ name, text, reasons string }{
		{"nothing", "", "truncated"},
		{"a status line only", "HTTP/1.1 200 OK\r\n", "truncated"},
		{"half a header", "HTTP/1.1 200 OK\r\nContent-Le", "truncated"},
		{"no HTTP", body, "not_json"},
		{"another protocol", "ICY 200 OK\r\n" + length + body, "not_json"},
		{"an SSH banner", "SSH-2.0-OpenSSH_9.2\r\n", "not_json"},
		{"HTTP/2 frames", "\x00\x00\x12\x04\x00\x00\x00\x00\x00", "not_json"},
		{"a status that is no number", "HTTP/1.1 OK OK\r\n" + length + body, "not_json"},
		{"a status of 5 digits", "HTTP/1.1 20000 OK\r\n" + length + body, "not_json"},
		{"a negative status", "HTTP/1.1 -200 OK\r\n" + length + body, "not_json"},
		{"version 9.9.9", "HTTP/9.9.9 200 OK\r\n" + length + body, "not_json"},
		{"a header without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\n" + length + body, "not_json"},
		{"a header with NUL", "HTTP/1.1 200 OK\r\nX\x00: y\r\n" + length + body, "not_json"},
		{"a header of 1 MB", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n" + length + body, "too_large"},
		{"100,000 headers", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 100_000) + length + body, "too_large"},
		{"a status line of 1 MB", "HTTP/1.1 200 " + strings.Repeat("O", 1<<20) + "\r\n" + length + body, "too_large"},
		{"1,000 interim answers", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000) + good, "not_json"},
		{"status 204", "HTTP/1.1 204 No Content\r\n\r\n", "status"},
		{"status 206", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/99\r\n" + length + body, "status"},
		{"status 301", "HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1:1/\r\n" + length + body, "status"},
		{"status 304", "HTTP/1.1 304 Not Modified\r\n\r\n", "status"},
		{"status 401 of a proxy", "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "status"},
		{"status 999", "HTTP/1.1 999 Denied\r\n" + length + body, "status"},
		{"an error with a body without end", "HTTP/1.1 500 No\r\n\r\n{\"message\": \"" + strings.Repeat("x", 1<<20), "status"},
		{"an error 10,000 deep", "HTTP/1.1 500 No\r\n\r\n{\"message\": " + strings.Repeat("[", 10_000), "status"},
		{"an error that speaks to the terminal", "HTTP/1.1 500 No\r\n\r\n{\"message\": \"\\u001b[2J\\u0000\\u202e\"}", "status"},
	} {
		out = append(out, hostile{name: c.name, answer: raw(c.text), reasons: c.reasons})
	}
	for _, c := range []struct{ name, text string }{
		{"three interim answers", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n", 3) + good},
		{"HTTP/1.0", strings.Replace(good, "1.1", "1.0", 1)},
		{"line feeds without carriage returns", "HTTP/1.1 200 OK\n" + strings.ReplaceAll(length, "\r", "") + body},
		{"another content type", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + length + body},
	} {
		out = append(out, hostile{name: c.name, answer: raw(c.text), want: believed})
	}
	return out
}

// echoes are servers that repeat the request, password and all.
func echoes() []hostile {
	basic := base64.StdEncoding.EncodeToString([]byte("gwm:" + password))
	var escaped strings.Builder
	for _, c := range password {
		fmt.Fprintf(&escaped, `\u%04x`, c)
	}
	var out []hostile
	for _, c := range []struct{ name, text, reasons string }{
		{"in an error", fmt.Sprintf("HTTP/1.1 500 No\r\n\r\n{\"message\": \"%s or %s\"}", password, basic), "status"},
		{"in an error, with escapes", "HTTP/1.1 500 No\r\n\r\n{\"message\": \"" + escaped.String() + "\"}", "status"},
		{"in an error, as HTML", "HTTP/1.1 502 No\r\n\r\n{\"explain\": \"" + strings.ReplaceAll(password, "-", "&#45;") + "\"}", "status"},
		{"in a status line", "HTTP/1.1 500 " + password + "\r\n\r\n", "status"},
		{"in a page", "HTTP/1.1 200 OK\r\n\r\nGET /2/instances?bulk=1\nAuthorization: Basic " + basic + "\n", "not_json"},
		{"across the end of what is quoted", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 50) + password, "not_json"},
		{"between two items", "HTTP/1.1 200 OK\r\n\r\n[{} " + password + "]", "not_json"},
		{"instead of HTTP", password + " " + basic, "not_json"},
		{"as a header", "HTTP/1.1 200 OK\r\n" + basic + "\r\n\r\n", "not_json"},
		{"as a length", "HTTP/1.1 200 OK\r\nContent-Length: " + password + "\r\n\r\n", "not_json"},
	} {
		out = append(out, hostile{name: c.name, answer: raw(c.text), reasons: c.reasons})
	}
	return out
}

func slowAnswers(l *liar) []hostile {
	body := list(l.items...)
	silent := func(text string) script {
		return func(conn *tls.Conn) { send(conn, text); untilClosed(conn) }
	}
	drip := func(head, text string) script {
		return func(conn *tls.Conn) {
			for ok := send(conn, head); ok; ok = send(conn, text) {
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
	flood := func(head, text string) script {
		return func(conn *tls.Conn) {
			block := string(bytes.Repeat([]byte(text), 1+16<<10/len(text)))
			for ok := send(conn, head); ok; ok = send(conn, block) {
			}
		}
	}
	const head = "HTTP/1.1 200 OK\r\n\r\n"
	return []hostile{
		{name: "silence", answer: silent(""), reasons: "timeout", slow: true},
		{name: "silence behind the header", answer: silent(head), reasons: "timeout", slow: true},
		{name: "silence in the list", answer: silent(head + body[:2000]), reasons: "timeout", slow: true},
		{name: "silence behind the list", answer: silent(head + body), reasons: "timeout", slow: true},
		{name: "header without end, in drips", answer: drip("HTTP/1.1 200 OK\r\n", "X: y\r\n"), reasons: "timeout", slow: true},
		{name: "interim answers in drips", answer: drip("", "HTTP/1.1 102 Processing\r\n\r\n"), reasons: "timeout not_json", slow: true},
		{name: "white space in drips", answer: drip(head, " "), reasons: "timeout", slow: true},
		{name: "white space without end", answer: flood(head, " \n"), reasons: "too_large"},
		{name: "a header without end", answer: flood("HTTP/1.1 200 OK\r\n", "X: y\r\n"), reasons: "too_large"},
		{name: "interim answers without end", answer: flood("", "HTTP/1.1 100 Continue\r\n\r\n"), reasons: "not_json"},
	}
}
