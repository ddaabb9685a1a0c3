package ganeti_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ganeticache/ganeti"
)

// failure is one way in which a request fails, and how that must look.
type failure struct {
	name   string
	answer script
	want   error  // for errors.Is; nil: any
	reason string // of Reason
	text   string // in the error
}

func failures(tb testing.TB) []failure {
	tb.Helper()
	echo := fmt.Sprintf("you sent %s with %s", testPassword, basic("gwm", testPassword))
	hang := func(conn *tls.Conn, _ *http.Request) { untilClosed(conn) }
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
	return []failure{
		{
			"401", send(401, file(tb, "err-401-wrongpw.body")), ganeti.ErrUnauthorized, "unauthorized",
			"401 Unauthorized (No permission -- see authorization schemes); check username and password",
		},
		{"403", send(403, file(tb, "err-403-readonly.body")), ganeti.ErrForbidden, "forbidden", "needs more rights"},
		{"404", send(404, file(tb, "err-404-path.body")), ganeti.ErrNotFound, "not_found", "check that the address is a Ganeti RAPI"},
		{"400", send(400, file(tb, "bulk-x.body")), nil, "status", "Invalid value for the 'bulk' parameter"},
		{"500", send(500, []byte(`{"code": 500, "message": "boom", "explain": ""}`)), nil, "status", "500 Internal Server Error: boom"},
		{"501", send(501, file(tb, "err-501-method.body")), nil, "status", "501"},
		{"502", send(502, file(tb, "fail-502-during-failover.body")), ganeti.ErrNotMaster, "status", "Can't connect to master daemon"},
		{"504", send(504, file(tb, "fail-luxid-stopped-bulk.body")), nil, "status", "ganeti-luxid does not answer"},
		{"503 with HTML", send(503, []byte("<html>")), nil, "status", "503 Service Unavailable; check ganeti-rapi's log"},
		{"500 without a body", send(500, nil), nil, "status", "500"},
		{"500 that echoes", send(500, fmt.Appendf(nil, `{"message": %q, "explain": %q}`, echo, echo)), nil, "status", "[redacted]"},
		{"500 that echoes with entities", send(500, []byte(`{"message": "`+strings.ReplaceAll(echo, "-", "&#45;")+`"}`)), nil, "status", "[redacted]"},
		{"500 with a long message", send(500, []byte(`{"message": "`+strings.Repeat("a\\n\\u001b[31m ", 1000)+`"}`)), nil, "status", "a  [31m a"},
		{"500 with other types", send(500, []byte(`{"message": 5, "explain": ["x"]}`)), nil, "status", "500"},
		{"204", send(204, nil), nil, "status", "204"},
		{"redirect", sendRaw("HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/2/info\r\nContent-Length: 0\r\n\r\n"), nil, "status", "302 Found; RAPI never redirects"},
		{"short body", sendRaw(head + "Content-Length: 1000\r\n\r\n[{\"a\": 1}"), ganeti.ErrTruncated, "truncated", "after 9 of 1000 bytes"},
		{"short but closed", sendRaw(head + "Content-Length: 1000\r\n\r\n[]\n{}"), ganeti.ErrNotJSON, "not_json", ""},
		{"short but an array", sendRaw(head + "Content-Length: 1000\r\n\r\n[]\n"), ganeti.ErrTruncated, "truncated", "after 3 of 1000 bytes"},
		{"too short a Content-Length", sendRaw(head + "Content-Length: 5\r\n\r\n[{\"a\": 1}]"), ganeti.ErrTruncated, "truncated", ""},
		{"cut without a Content-Length", sendRaw(head + "\r\n[{\"a\": 1}"), ganeti.ErrTruncated, "truncated", "not closed"},
		{"cut chunks", sendRaw(head + "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"), ganeti.ErrTruncated, "truncated", ""},
		{"garbage after the end", send(200, []byte("[]\n[]")), ganeti.ErrNotJSON, "not_json", "bytes follow after the end"},
		{"HTML", send(200, []byte("<html>\x1b[31mSign in "+strings.Repeat("x", 200))), ganeti.ErrNotJSON, "not_json", `"<html>\x1b[31mSign in xxx`},
		{"HTML that echoes", send(200, []byte(echo)), ganeti.ErrNotJSON, "not_json", "[redacted]"},
		{"empty", send(200, nil), ganeti.ErrNotJSON, "not_json", "the body is empty"},
		{"announced too large", sendRaw(head + "Content-Length: 100000000000\r\n\r\n["), ganeti.ErrTooLarge, "too_large", "max_body"},
		{"two lengths", sendRaw(head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]"), ganeti.ErrNotJSON, "not_json", "not HTTP"},
		{"endless", endless(head+"\r\n[", strings.Repeat(" ", 1000)), ganeti.ErrTooLarge, "too_large", "max_body"},
		{"endless header", endless("HTTP/1.1 200 OK\r\n", strings.Repeat("X-Y: z\r\n", 100)), ganeti.ErrTooLarge, "too_large", "header"},
		{"endless status", endless("HTTP/1.1 200 ", "OK OK OK OK OK OK OK "), ganeti.ErrTooLarge, "too_large", "header"},
		{"endless interim answers", endless("", "HTTP/1.1 100 Continue\r\n\r\n"), ganeti.ErrNotJSON, "not_json", "interim"},
		{"not HTTP", sendRaw("220 mail.example.org " + echo + "\r\n"), ganeti.ErrNotJSON, "not_json", "the answer is not HTTP"},
		{"closed without an answer", sendRaw(""), ganeti.ErrTruncated, "truncated", "closed the connection without an answer"},
		{"closed in the header", sendRaw("HTTP/1.1 200 OK\r\nConte"), ganeti.ErrTruncated, "truncated", "closed the connection without an answer"},
		{"hangs before the answer", hang, ganeti.ErrTimeout, "timeout", "no answer within 300ms of the request (timeouts.first_byte)"},
		{
			"hangs in the header", func(conn *tls.Conn, r *http.Request) { fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nA:"); hang(conn, r) },
			ganeti.ErrTimeout, "timeout", "timeouts.first_byte",
		},
		{
			"hangs in the body", func(conn *tls.Conn, r *http.Request) {
				fmt.Fprint(conn, head+"Content-Length: 9\r\n\r\n[1,")
				hang(conn, r)
			},
			ganeti.ErrTimeout, "timeout", "not complete within 1s (timeouts.total)",
		},
	}
}

// endless sends a text and then another one until the client has had enough.
func endless(text, again string) script {
	return func(conn *tls.Conn, _ *http.Request) {
		for _, err := fmt.Fprint(conn, text); err == nil; {
			_, err = fmt.Fprint(conn, again)
		}
	}
}

func TestClient_Failures(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	// Only where one is waited for: a busy machine is slow.
	short := map[string]ganeti.Timeouts{
		"hangs before the answer": {FirstByte: 300 * time.Millisecond},
		"hangs in the header":     {FirstByte: 300 * time.Millisecond},
		"hangs in the body":       {Total: time.Second},
	}
	for _, tt := range failures(t) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := settings(serve(t, cert, tt.answer), cert)
			s.MaxBody = 1 << 20
			s.Timeouts = short[tt.name]
			c := client(t, s)
			d, err := c.Bulk(t.Context(), ganeti.Instances, nil)
			if d != nil || err == nil {
				t.Fatalf("got %v, %v", d, err)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%v is not %v", err, tt.want)
			}
			if got := ganeti.Reason(err); got != tt.reason {
				t.Errorf("%v: Reason = %q, want %q", err, got, tt.reason)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v\ndoes not say %q", err, tt.text)
			}
			if !strings.Contains(err.Error(), "/2/instances") || !strings.Contains(err.Error(), "127.0.0.1:") {
				t.Errorf("%v\nnames neither the cluster nor the request", err)
			}
			if len(err.Error()) > 1200 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("unfit for one line of a log: %q", err)
			}
			for _, text := range []string{
				fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%q", err), Reason(err),
				fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprintf("%+v %#v", s, s),
			} {
				if leaks(text, testPassword) {
					t.Errorf("the password is in %s", text)
				}
			}
		})
	}
}

// Reason joins what the whole chain of an error prints.
func Reason(err error) string {
	var out strings.Builder
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&out, "%#v ", err)
	}
	return out.String()
}
