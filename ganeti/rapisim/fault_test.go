package rapisim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti/rapisim"
)

const bulk = "/2/instances?bulk=1"

// TestHurt_Answers looks at what an ordinary client makes of each fault.
func TestHurt_Answers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault rapisim.Fault
		check func(t *testing.T, whole []byte, resp *http.Response, body []byte, err error)
	}{
		{"cut", rapisim.CutBody(1000), func(t *testing.T, whole []byte, _ *http.Response, body []byte, err error) {
			t.Helper()
			if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Equal(body, whole[:1000]) {
				t.Errorf("got %d bytes, %v", len(body), err)
			}
		}},
		{"cut at once", rapisim.CutBody(0), func(t *testing.T, _ []byte, _ *http.Response, body []byte, err error) {
			t.Helper()
			if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) != 0 {
				t.Errorf("got %d bytes, %v", len(body), err)
			}
		}},
		{"declared too long", rapisim.WrongLength(10), func(t *testing.T, whole []byte, resp *http.Response, body []byte, err error) {
			t.Helper()
			if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) != len(whole) || resp.ContentLength != int64(len(whole))+10 {
				t.Errorf("got %d bytes, %v", len(body), err)
			}
		}},
		{"declared too short", rapisim.WrongLength(-10), func(t *testing.T, whole []byte, _ *http.Response, body []byte, err error) {
			t.Helper()
			if err != nil || !bytes.Equal(body, whole[:len(whole)-10]) || json.Valid(body) {
				t.Errorf("got %d bytes, %v", len(body), err)
			}
		}},
		{"garbage", rapisim.Garbage(), func(t *testing.T, whole []byte, _ *http.Response, body []byte, err error) {
			t.Helper()
			if err != nil || len(body) != len(whole) || json.Valid(body) || !bytes.HasPrefix(body, whole[:len(whole)/2]) {
				t.Errorf("got %d bytes, %v", len(body), err)
			}
		}},
		{"HTML", rapisim.HTML(http.StatusOK), func(t *testing.T, _ []byte, resp *http.Response, body []byte, err error) {
			t.Helper()
			if err != nil || resp.Header.Get("Content-Type") != "text/html" || !bytes.Contains(body, []byte("<html>")) {
				t.Errorf("got %q, %v", body, err)
			}
		}},
		{"empty list", rapisim.EmptyList(), func(t *testing.T, _ []byte, resp *http.Response, body []byte, err error) {
			t.Helper()
			if err != nil || resp.StatusCode != http.StatusOK || string(body) != "[]\n" {
				t.Errorf("got %q, %v", body, err)
			}
		}},
		{"body", rapisim.Body([]byte("{}")), func(t *testing.T, _ []byte, _ *http.Response, body []byte, err error) {
			t.Helper()
			if err != nil || string(body) != "{}" {
				t.Errorf("got %q, %v", body, err)
			}
		}},
		{"502", rapisim.Status(http.StatusBadGateway), sameAs("fail-502-during-failover")},
		{"504", rapisim.Status(http.StatusGatewayTimeout), sameAs("fail-luxid-stopped-info")},
		{"500", rapisim.Status(http.StatusInternalServerError), sameAs("query-cluster")},
		{"401", rapisim.Status(http.StatusUnauthorized), sameAs("err-401-nocreds")},
		{"403", rapisim.Status(http.StatusForbidden), sameAs("err-403-readonly")},
		{"404", rapisim.Status(http.StatusNotFound), sameAs("err-404-path")},
		{"both", rapisim.Latency(20 * time.Millisecond).And(rapisim.Status(http.StatusNotFound)), sameAs("err-404-path")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, rapisim.Options{})
			whole := get(t, s, bulk)
			s.Hurt(tt.fault)
			resp, body, err := fetch(t, client(t), s, bulk)
			tt.check(t, whole, resp, body, err)
			s.Heal()
			if diff := cmp.Diff(whole, get(t, s, bulk)); diff != "" {
				t.Errorf("healed (-want +got):\n%s", diff)
			}
		})
	}
}

// sameAs expects a recorded error; its path of a socket is that machine's own.
func sameAs(file string) func(*testing.T, []byte, *http.Response, []byte, error) {
	return func(t *testing.T, _ []byte, resp *http.Response, body []byte, err error) {
		t.Helper()
		must(t, err)
		want := strings.Replace(string(recorded(t, file+".body")), "/srv/vc2/node2.gnt.test", "", 1)
		if diff := cmp.Diff(want, string(body)); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
		line, _, _ := strings.Cut(string(recorded(t, file+".headers")), "\r\n")
		if got := resp.Proto + " " + resp.Status; got != line {
			t.Errorf("status line is %q, want %q", got, line)
		}
	}
}

// TestHurt_Silence: faults that end in the client's patience, or worse.
func TestHurt_Silence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault rapisim.Fault
		want  func(error) bool
	}{
		{"hang", rapisim.Hang(), func(err error) bool { return strings.Contains(err.Error(), "awaiting headers") }},
		{"latency", rapisim.Latency(time.Hour), func(err error) bool { return strings.Contains(err.Error(), "awaiting headers") }},
		{"handshake", rapisim.HangHandshake(), func(err error) bool { return strings.Contains(err.Error(), "Timeout") }},
		{"trickle", rapisim.Trickle(500), func(err error) bool { return strings.Contains(err.Error(), "reading body") }},
		{"endless", rapisim.Endless(), func(err error) bool { return strings.Contains(err.Error(), "reading body") }},
		{"clear text", rapisim.NoTLS(), func(err error) bool { return strings.Contains(err.Error(), "HTTP response to HTTPS client") }},
		{"reset", rapisim.Reset(), func(err error) bool { return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) }},
		{"refuse", rapisim.Refuse(), func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, rapisim.Options{})
			s.Hurt(tt.fault)
			c := client(t)
			c.Timeout = 300 * time.Millisecond
			switch _, body, err := fetch(t, c, s, bulk); {
			case err == nil:
				t.Errorf("got %d bytes and no error", len(body))
			case !tt.want(err):
				t.Errorf("error is %v", err)
			}
			s.Heal()
			get(t, s, bulk)
		})
	}
}

// TestHurt_Sequence: faults strike on their paths, as often as they may, one
// after the other.
func TestHurt_Sequence(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{})
	s.Hurt(
		rapisim.Status(http.StatusBadGateway).On("/2/instances").For(2),
		rapisim.Status(http.StatusGatewayTimeout).On("/2/inst*").For(1),
		rapisim.Status(http.StatusForbidden).On("/2/info"),
	)
	var got []int
	for _, path := range []string{"/2/nodes", bulk, bulk, "/2/info", bulk, bulk, "/2/info"} {
		resp, _, err := fetch(t, client(t), s, path)
		must(t, err)
		got = append(got, resp.StatusCode)
	}
	if diff := cmp.Diff([]int{200, 502, 502, 403, 504, 200, 403}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestServer_CloseWhileHanging(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{})
	s.Hurt(rapisim.Hang())
	failed := make(chan error)
	go func() {
		_, _, err := fetch(t, client(t), s, bulk)
		failed <- err
	}()
	must(t, s.Await(t.Context(), 1))
	s.Close()
	if err := <-failed; err == nil {
		t.Error("a hanging request ended without an error")
	}
}
