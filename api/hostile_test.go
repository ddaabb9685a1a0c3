package api_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"ganeticache/api"
	"ganeticache/db/dbtest"
)

// hostile are texts that somebody may send as any value.
func hostile() []string {
	return []string{
		"' OR 1=1 --", "'; DROP TABLE clusters; --", "<script>alert(1)</script>", "../../etc/passwd", "..\\..\\x", "\x00", "\x1b[2Jx",
		"%s%n%x", "\r\nX-Evil: 1", "\u202egnp.exe", "\u009b31m", "\xff\xfe", strings.Repeat("A", 3000), "{{7*7}}", "${jndi:ldap://x}",
		"-1", "1e309", "NaN", "9223372036854775808", "null", "[]", "*", "%", "_", "\\", "\ud7ff",
	}
}

// listParams are the parameters of the lists and other queries.
func listParams() map[string][]string {
	common := []string{
		"cluster", "name", "changed_since", "deleted", "info", "sort", "descending", "limit", "after", "max_age", "cache", "tag",
		"tag_prefix", "unknown", "",
	}
	return map[string][]string{
		"/v1/vms": append([]string{
			"status", "node", "primary_node", "secondary_node", "os", "disk_template", "ip", "mac", "network", "memory", "vcpus", "disk",
		}, common...),
		"/v1/nodes":    append([]string{"role", "group", "ip", "memory_total", "memory_free", "disk_total", "disk_free", "cpus"}, common...),
		"/v1/groups":   append([]string{"node"}, common...),
		"/v1/networks": common,
		"/v1/jobs":     append([]string{"status"}, common...),
		"/v1/sums":     append([]string{"by", "status"}, common...),
		"/v1/changes":  {"after", "wait", "limit", "kind", "cluster", "object", "unknown"},
		"/v1/clusters": {"name"},
	}
}

// harmless checks what every answer must be.
func harmless(t *testing.T, what string, a answerOf) {
	t.Helper()
	if a.status >= 500 || a.status < 200 || a.status >= 300 && a.status < 400 {
		t.Errorf("%s = %d %s", what, a.status, a.body)
	}
	if a.status >= 400 {
		a.problem(a.status, "")
		if len(a.body) > 4096 {
			t.Errorf("%s: the problem has %d bytes", what, len(a.body))
		}
	}
	for _, leak := range []string{"goroutine", ".go:", "sqlite", "pq:", "syntax error", "<script"} {
		if strings.Contains(a.body, leak) {
			t.Errorf("%s: the answer holds %q: %s", what, leak, a.body)
		}
	}
	if a.header.Get("X-Evil") != "" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: headers %v", what, a.header)
	}
}

// odd says whether a rune has no place in a log.
func odd(c rune) bool { return c != '\n' && c != '\t' && !unicode.IsPrint(c) }

// cleanLog checks that the log holds nothing but printable lines.
func (r *rig) cleanLog() {
	r.t.Helper()
	if i := strings.IndexFunc(r.log.String(), odd); i >= 0 {
		r.t.Fatalf("the log holds at %d: %q", i, r.log.String()[max(0, i-200):i+3])
	}
	for _, raw := range []string{"<script>", "DROP TABLE", "jndi", "X-Evil", "gcu_"} {
		if strings.Contains(r.log.String(), raw) {
			r.t.Errorf("the log holds %q", raw)
		}
	}
}

func TestAPI_SurvivesHostileParameters(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	for path, params := range listParams() {
		for _, param := range params {
			for _, value := range hostile() {
				query := path + "?" + url.QueryEscape(param) + "=" + url.QueryEscape(value)
				a := r.get(query)
				harmless(t, query, a)
				if (param == "unknown" || param == "") && a.status != http.StatusUnprocessableEntity {
					t.Errorf("%s = %d, want 422", query, a.status)
				}
			}
		}
	}
	r.cleanLog()
}

func TestAPI_SurvivesHostilePaths(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	for _, value := range hostile() {
		for _, format := range []string{"/v1/vms/prod/%s", "/v1/vms/%s/x", "/v1/clusters/%s", "/v1/nodes/%s/%[1]s", "/%s", "/v1/%s"} {
			path := fmt.Sprintf(format, url.PathEscape(value))
			a := r.get(path)
			harmless(t, path, a)
			if a.status < 400 {
				t.Errorf("%s = %d", path, a.status)
			}
		}
	}
	for _, path := range []string{
		"/v1/../metrics", "/v1/./vms", "//v1/vms", "/v1//vms", "/v1/vms/", "/v1/vms/..%2f..%2fmetrics/x", "/v1/vms/%2e%2e/%2e%2e", "/V1/vms",
		"/v1/vms/a%00b/c", "/v1/vms/prod/a/b", "/.git/config", "/v1/openapi.yaml", "/docs", "/schemas/VM.json", "/v1/vms;x=1",
	} {
		r.get(path).problem(404, "")
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} {
		a := r.do(method, "/v1/vms").problem(405, "GET, HEAD")
		if a.header.Get("Allow") == "" {
			t.Errorf("%s: 405 without Allow", method)
		}
	}
	if a := r.do(http.MethodHead, "/v1/vms").want(200); a.body != "" || a.header.Get("ETag") == "" {
		t.Errorf("HEAD: %q %v", a.body, a.header)
	}
	r.cleanLog()
}

func TestAPI_RefusesBadValuesWithTheirName(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	for _, tt := range []struct {
		query  string
		status int
		want   string
	}{
		{"/v1/vms?limit=1001", 422, "query.limit"},
		{"/v1/vms?limit=99999999999999999999", 422, "query.limit"},
		{"/v1/vms?limit=0", 422, "query.limit"},
		{"/v1/vms?after=garbage", 422, "query.after"},
		{"/v1/vms?sort=password", 422, "query.sort"},
		{"/v1/vms?memory=4G..2G", 422, "query.memory"},
		{"/v1/vms?vcpus=many", 422, "query.vcpus"},
		{"/v1/vms?changed_since=yesterday", 422, "query.changed_since"},
		{"/v1/vms?max_age=-1s", 422, "query.max_age"},
		{"/v1/vms?max_age=1m&cache=only", 422, "query.max_age"},
		{"/v1/vms?cache=never", 422, "query.cache"},
		{"/v1/vms?name=a&name=b", 422, "given twice"},
		{"/v1/vms?colour=red", 422, "query.colour"},
		{"/v1/vms?name=%zz", 400, "percent-encoded"},
		{"/v1/vms?name=a;b=c", 400, "percent-encoded"},
		{"/v1/sums?by=password", 422, "query.by"},
		{"/v1/changes?after=-1", 422, "query.after"},
		{"/v1/changes?after=abc", 422, "query.after"},
		{"/v1/changes?wait=2h", 422, "query.wait"},
		{"/v1/changes?kind=user", 422, "query.kind"},
		{"/v1/vms?name=" + strings.Repeat("a", 9000), 414, "longer than"},
	} {
		r.get(tt.query).problem(tt.status, tt.want)
	}
	page := decode[api.List[api.VM]](r.get("/v1/vms?limit=5&sort=name"))
	r.get("/v1/vms?limit=5&sort=vcpus&after="+page.Next).problem(422, "query.after")
}

func TestAPI_LimitsBodyAndHeader(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	for name, body := range map[string]io.Reader{
		"announced": bytes.NewReader(make([]byte, 10<<20)),
		"chunked":   io.LimitReader(neverEnding{}, 10<<20),
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.base+"/v1/clusters/prod/refresh", body)
		must(t, err)
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Second}}).Do(req)
		if err != nil {
			// The connection may be closed while the client still sends.
			t.Logf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("a body of 10 MB, %s = %d", name, resp.StatusCode)
		}
	}
	r.get("/v1/vms", "X-Large", strings.Repeat("x", 20<<10)).problem(431, "header is larger")
	r.get("/v1/vms").want(200)
}

type neverEnding struct{}

func (neverEnding) Read(b []byte) (int, error) { return len(b), nil }

// TestAPI_SurvivesRawBytes sends what no HTTP library would.
func TestAPI_SurvivesRawBytes(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	for _, raw := range []string{
		"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /v1/vms HTTP/1.1\r\nHost: localhost\r\nX\x1b[2J: 1\r\n\r\n", "\x00\x01\x02\r\n\r\n",
		"GET http://evil.example/v1/vms HTTP/1.1\r\nHost: evil.example\r\n\r\n", "GET /v1/vms HTTP/1.1\r\n\r\n",
		"POST /v1/clusters/prod/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
		"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.base, "http://"))
		must(t, err)
		must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = io.WriteString(conn, raw)
		must(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%q: %v", raw, err)
			continue
		}
		if resp.StatusCode < 400 || resp.StatusCode >= 500 {
			t.Errorf("%q = %d", raw, resp.StatusCode)
		}
		resp.Body.Close()
		conn.Close()
	}
	r.cleanLog()
}

func TestAPI_HidesItsFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	r.cache.fail = errors.New("pq: password authentication failed for user \"updater\"\x1b[2J")
	a := r.get("/v1/vms").problem(500, "the log of the updater has the details")
	if strings.Contains(a.body, "updater\\\"") || strings.Contains(a.body, "password") {
		t.Errorf("the answer tells %s", a.body)
	}
	if !strings.Contains(r.log.String(), "password authentication failed") {
		t.Error("the log does not have the details")
	}
	r.cache.refresh = nil // calling it panics
	a = r.do(http.MethodPost, "/v1/clusters/prod/refresh").problem(500, "the log of the updater has the details")
	if strings.Contains(a.body, "nil pointer") {
		t.Errorf("the answer tells %s", a.body)
	}
	if !strings.Contains(r.log.String(), "a request panicked") {
		t.Error("the log does not tell of the panic")
	}
	r.cache.fail = nil
	r.get("/v1/vms").want(200)
}
