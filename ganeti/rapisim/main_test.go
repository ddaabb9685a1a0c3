package rapisim_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ganeticache/ganeti/rapisim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorded reads a file of testdata: raw answers of a Ganeti 3.0.2, headers
// and body apart.
func recorded(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func serve(tb testing.TB, o rapisim.Options, opts ...rapisim.ServerOption) *rapisim.Server {
	tb.Helper()
	s, err := rapisim.NewServer(rapisim.NewCluster(o), opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// ask sends one request over a connection of its own and returns the answer as
// it came: head and body.
func ask(tb testing.TB, s *rapisim.Server, method, path, user, password string) (head, body []byte) {
	tb.Helper()
	conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	must(tb, conn.SetDeadline(time.Now().Add(30*time.Second)))
	req, err := http.NewRequest(method, "https://"+s.Addr()+path, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	if err := req.Write(conn); err != nil {
		tb.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		tb.Fatal(err)
	}
	head, body, found := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !found {
		tb.Fatalf("answer without an end of its headers: %q", answer)
	}
	return append(head, "\r\n\r\n"...), body
}

// get returns the body of a GET that must succeed.
func get(tb testing.TB, s *rapisim.Server, path string) []byte {
	tb.Helper()
	head, body := ask(tb, s, http.MethodGet, path, "gwm", "secret")
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 OK\r\n")) {
		tb.Fatalf("GET %s: %s%s", path, head, body)
	}
	return body
}

// client is what any Go program would use, without verification.
func client(tb testing.TB) *http.Client {
	tb.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// fetch asks as client does, and reads the whole answer.
func fetch(tb testing.TB, c *http.Client, s *rapisim.Server, path string) (*http.Response, []byte, error) {
	tb.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL()+path, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	req.SetBasicAuth("gwm", "secret")
	resp, err := c.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// constantHeaders is a recorded or simulated head without what must differ.
func constantHeaders(head []byte) string {
	var out strings.Builder
	lines := bufio.NewScanner(bytes.NewReader(head))
	for lines.Scan() {
		line := lines.Text()
		for _, varying := range []string{"Date: ", "Content-Length: "} {
			if strings.HasPrefix(line, varying) {
				line = varying
			}
		}
		fmt.Fprintf(&out, "%s\n", line)
	}
	return out.String()
}
