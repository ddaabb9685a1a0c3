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
	silent := listen(t, func(c net.Conn) { untilClosed(c) })
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
		{"closed at once", closing, ganeti.Timeouts{}, ganeti.ErrRefused, "unreachable", "closed the connection during the TLS handshake"},
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
		untilClosed(conn)
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
		most.Store(max(most.Load(), n))
		select {
		case first <- struct{}{}:
		case <-proceed:
		}
		<-proceed
		open.Add(-1) // with the last byte the client may begin the next
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
