package ganeti_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti"
)

func TestClient_Request(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	requests := make(chan *http.Request, 10)
	url := serve(t, cert, func(conn *tls.Conn, req *http.Request) {
		requests <- req
		body := file(t, "info.body")
		if req.URL.Path != "/2/info" {
			body = file(t, "groups-bulk.body")
		}
		send(http.StatusOK, body)(conn, req)
	})
	c := client(t, settings(url, cert))
	before := time.Now().Add(-time.Microsecond)
	answer, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if answer.StartedAt.Before(before) || answer.Duration <= 0 || answer.StartedAt.Location() != time.UTC {
		t.Errorf("started at %s, took %s", answer.StartedAt, answer.Duration)
	}
	want := strings.TrimSpace(string(file(t, "info.body")))
	if string(answer.Body) != want || answer.Bytes != int64(len(want))+1 {
		t.Errorf("%d bytes: %.60q", answer.Bytes, answer.Body)
	}
	req := <-requests
	user, password, _ := req.BasicAuth()
	got := []string{req.Method, req.RequestURI, req.Host, req.Header.Get("Connection"), req.Header.Get("Accept-Encoding"), user, password}
	host := strings.TrimPrefix(url, "https://")
	if diff := cmp.Diff([]string{"GET", "/2/info", host, "close", "", "gwm", testPassword}, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	d, err := c.Bulk(t.Context(), ganeti.Groups, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.Items != 2 || d.Bytes != int64(len(file(t, "groups-bulk.body"))) || d.StartedAt.Before(answer.StartedAt) || d.Duration <= 0 {
		t.Errorf("%d items, %d bytes, started at %s, took %s", d.Items, d.Bytes, d.StartedAt, d.Duration)
	}
	if req := <-requests; req.RequestURI != "/2/groups?bulk=1" {
		t.Errorf("asked for %s", req.RequestURI)
	}
}

func TestClient_NoCredentials(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	url := serve(t, cert, func(conn *tls.Conn, req *http.Request) {
		if req.Header.Get("Authorization") != "" {
			t.Error("credentials were sent")
		}
		send(http.StatusOK, []byte("{}"))(conn, req)
	})
	s := settings(url, cert)
	s.Username, s.Password = "", ""
	if _, err := client(t, s).Info(t.Context()); err != nil {
		t.Error(err)
	}
}

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
	hang := func(conn *tls.Conn, _ *http.Request) { _, _ = conn.Read(make([]byte, 1)) }
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
	return []failure{
		{"401", send(401, file(tb, "err-401-wrongpw.body")), ganeti.ErrUnauthorized, "unauthorized",
			"401 Unauthorized (No permission -- see authorization schemes); check username and password"},
		{"403", send(403, file(tb, "err-403-readonly.body")), ganeti.ErrForbidden, "forbidden", "needs more rights"},
		{"404", send(404, file(tb, "err-404-path.body")), ganeti.ErrNotFound, "not_found", "check that the address is a Ganeti RAPI"},
		{"400", send(400, file(tb, "bulk-x.body")), nil, "status", "Invalid value for the 'bulk' parameter"},
		{"500", send(500, []byte(`{"code": 500, "message": "boom", "explain": ""}`)), nil, "status", "500 Internal Server Error: boom"},
		{"501", send(501, file(tb, "err-501-method.body")), nil, "status", "501"},
		{"502", send(502, file(tb, "fail-502-during-failover.body")), nil, "status", "Can't connect to master daemon"},
		{"504", send(504, file(tb, "fail-luxid-stopped-bulk.body")), nil, "status", "ganeti-luxid does not answer"},
		{"503 with HTML", send(503, []byte("<html>")), nil, "status", "503 Service Unavailable; check ganeti-rapi's log"},
		{"500 without a body", send(500, nil), nil, "status", "500"},
		{"500 that echoes", send(500, fmt.Appendf(nil, `{"message": %q, "explain": %q}`, echo, echo)), nil, "status", "[redacted]"},
		{"500 that echoes with entities", send(500, []byte(`{"message": "`+strings.ReplaceAll(echo, "-", "&#45;")+`"}`)), nil, "status", "[redacted]"},
		{"500 with a long message", send(500, []byte(`{"message": "`+strings.Repeat("a\\n\\u001b[31m ", 5000)+`"}`)), nil, "status", "a [31m a"},
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
		{"endless", endless(head + "\r\n[" + strings.Repeat(" ", 1000)), ganeti.ErrTooLarge, "too_large", "max_body"},
		{"endless header", endless("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Y: z\r\n", 100)), ganeti.ErrTooLarge, "too_large", "header"},
		{"endless status", endless("HTTP/1.1 200 OK OK OK"), ganeti.ErrTooLarge, "too_large", "header"},
		{"endless interim answers", endless("HTTP/1.1 100 Continue\r\n\r\n"), ganeti.ErrNotJSON, "not_json", "interim"},
		{"not HTTP", sendRaw("220 mail.example.org " + echo + "\r\n"), ganeti.ErrNotJSON, "not_json", "the answer is not HTTP"},
		{"closed without an answer", sendRaw(""), ganeti.ErrTruncated, "truncated", "closed the connection without an answer"},
		{"closed in the header", sendRaw("HTTP/1.1 200 OK\r\nConte"), ganeti.ErrTruncated, "truncated", "closed the connection without an answer"},
		{"hangs before the answer", hang, ganeti.ErrTimeout, "timeout", "no answer within 300ms of the request (timeouts.first_byte)"},
		{"hangs in the header", func(conn *tls.Conn, r *http.Request) { fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nA:"); hang(conn, r) },
			ganeti.ErrTimeout, "timeout", "timeouts.first_byte"},
		{"hangs in the body", func(conn *tls.Conn, r *http.Request) {
			fmt.Fprint(conn, head+"Content-Length: 9\r\n\r\n[1,")
			hang(conn, r)
		},
			ganeti.ErrTimeout, "timeout", "not complete within 700ms (timeouts.total)"},
	}
}

// endless repeats a text until the client has had enough.
func endless(text string) script {
	return func(conn *tls.Conn, _ *http.Request) {
		start, rest, _ := strings.Cut(text, "\x00")
		for _, err := fmt.Fprint(conn, start+rest); err == nil; _, err = fmt.Fprint(conn, text[len(text)-len(text)/2:]) {
		}
	}
}

func TestClient_Failures(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	for _, tt := range failures(t) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := settings(serve(t, cert, tt.answer), cert)
			s.MaxBody = 1 << 20
			s.Timeouts = ganeti.Timeouts{FirstByte: 300 * time.Millisecond, Total: 700 * time.Millisecond}
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

func TestClient_InfoFailures(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	tests := []struct {
		body string
		want error
	}{
		{`{"a": 1}`, nil},
		{" {}\n\n", nil},
		{`[]`, ganeti.ErrNotJSON},
		{`null`, ganeti.ErrNotJSON},
		{`{"a": 1`, ganeti.ErrTruncated},
		{`{"a": 1]`, ganeti.ErrNotJSON},
		{`{} {}`, ganeti.ErrNotJSON},
		{``, ganeti.ErrNotJSON},
	}
	for _, tt := range tests {
		t.Run(tt.body, func(t *testing.T) {
			t.Parallel()
			answer, err := client(t, settings(serve(t, cert, send(200, []byte(tt.body))), cert)).Info(t.Context())
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if want := strings.TrimSpace(tt.body); err == nil && string(answer.Body) != want {
				t.Errorf("got %q, want %q", answer.Body, want)
			}
		})
	}
}

func TestClient_OtherTransports(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	head := "HTTP/1.1 200 OK\r\n"
	for name, answer := range map[string]string{
		"HTTP/1.0":             "HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\n[{\"a\": 1}]\n",
		"chunked":              head + "Transfer-Encoding: chunked\r\n\r\n5\r\n[{\"a\"\r\n6\r\n: 1}]\n\r\n0\r\n\r\n",
		"no length":            head + "\r\n[{\"a\": 1}]\n",
		"an interim answer":    "HTTP/1.1 103 Early Hints\r\n\r\n" + head + "Content-Length: 11\r\n\r\n[{\"a\": 1}]\n",
		"more than the length": head + "Content-Length: 11\r\n\r\n[{\"a\": 1}]\nHTTP/1.1 500 Oh\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := client(t, settings(serve(t, cert, sendRaw(answer)), cert)).Bulk(t.Context(), ganeti.Jobs, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{`{"a": 1}`}, changed(d)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestClient_NoConnection(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	silent := listen(t, func(net.Conn) { <-release })
	plain := listen(t, func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })
	closing := listen(t, func(net.Conn) {})
	second := time.Second
	tests := []struct {
		name, address string
		timeouts      ganeti.Timeouts
		want          error
		reason, text  string
	}{
		{"refused", closedPort(t), ganeti.Timeouts{}, ganeti.ErrRefused, "unreachable", "connection refused; check that ganeti-rapi runs there"},
		{"no such host", "no-such-host.invalid", ganeti.Timeouts{}, ganeti.ErrRefused, "unreachable", "check the host name"},
		{"connecting takes too long", silent, ganeti.Timeouts{Connect: 1}, ganeti.ErrTimeout, "timeout", "no connection within 1ns (timeouts.connect)"},
		{"no handshake", silent, ganeti.Timeouts{TLSHandshake: second / 10}, ganeti.ErrTimeout, "timeout", "no TLS handshake within 100ms (timeouts.tls_handshake)"},
		{"no handshake within the total", silent, ganeti.Timeouts{TLSHandshake: second / 5, Total: second / 5}, ganeti.ErrTimeout, "timeout", "200ms"},
		{"no TLS", plain, ganeti.Timeouts{}, ganeti.ErrTLS, "tls", "does not speak TLS"},
		{"closed at once", closing, ganeti.Timeouts{}, ganeti.ErrTLS, "tls", "closed the connection during the handshake"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := settings("https://"+tt.address, cert)
			s.Timeouts = tt.timeouts
			_, err := client(t, s).Info(t.Context())
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || ganeti.Reason(err) != tt.reason {
				t.Errorf("got %v (%s), want %v (%s) with %q", err, ganeti.Reason(err), tt.want, tt.reason, tt.text)
			}
			if leaks(fmt.Sprintf("%+v", err), testPassword) {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

func TestClient_Cancel(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	asked := make(chan struct{}, 1)
	url := serve(t, cert, func(conn *tls.Conn, req *http.Request) {
		if req.URL.Path == "/2/jobs" {
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1, ")
		}
		asked <- struct{}{}
		_, _ = conn.Read(make([]byte, 1))
	})
	c := client(t, settings(url, cert))
	for _, resource := range []ganeti.Resource{ganeti.Nodes, ganeti.Jobs} { // before and within the body
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-asked
			cancel()
		}()
		_, err := c.Bulk(ctx, resource, nil)
		if !errors.Is(err, context.Canceled) || ganeti.Reason(err) != "canceled" {
			t.Errorf("%s: got %v (%s)", resource, err, ganeti.Reason(err))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := c.Bulk(ctx, ganeti.Nodes, nil)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ganeti.ErrTimeout) || ganeti.Reason(err) != "timeout" {
		t.Errorf("the caller's deadline: got %v (%s)", err, ganeti.Reason(err))
	}
}

func TestClient_OneRequestAtATime(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	var open, most atomic.Int32
	first := make(chan struct{})
	proceed := make(chan struct{})
	url := serve(t, cert, func(conn *tls.Conn, req *http.Request) {
		n := open.Add(1)
		defer open.Add(-1)
		most.Store(max(most.Load(), n))
		select {
		case first <- struct{}{}:
		case <-proceed:
		}
		<-proceed
		send(http.StatusOK, []byte("[]"))(conn, req)
	})
	c := client(t, settings(url, cert))
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if _, err := c.Bulk(t.Context(), ganeti.Nodes, nil); err != nil {
				t.Error(err)
			}
		})
	}
	<-first
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Info(ctx); !errors.Is(err, context.Canceled) || ganeti.Reason(err) != "canceled" {
		t.Errorf("waiting with a canceled context: got %v", err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Info(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting until the deadline: got %v", err)
	}
	close(proceed)
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d requests at a time", most.Load())
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("x"), "other"},
		{fmt.Errorf("a: %w", ganeti.ErrPinMismatch), "tls"},
		{&ganeti.StatusError{Status: 418}, "status"},
		{&ganeti.TimeoutError{Phase: "total"}, "timeout"},
		{fmt.Errorf("%w: %w", ganeti.ErrTruncated, context.Canceled), "canceled"},
	} {
		if got := ganeti.Reason(tt.err); got != tt.want {
			t.Errorf("Reason(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}
