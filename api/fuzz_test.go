package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"ganeticache/api"
	"ganeticache/db/dbtest"
)

// FuzzAPI_Request sends any path and query through the whole server, down to the database: whatever comes is answered
// with data or with a problem of the client's own, and the log stays printable.
func FuzzAPI_Request(f *testing.F) {
	r := newRig(f, dbtest.SQLite(f), "", nil)
	for path, params := range listParams() {
		f.Add(path, strings.Join(params, "=1&")+"=")
		for i, value := range hostile() {
			f.Add(path, params[i%len(params)]+"="+value)
		}
	}
	f.Add("/v1/vms/prod/inst0001.example", "max_age=0&cache=only")
	f.Add("/v1/../x", "")
	f.Add("/v1/vms", "after=eyJzIjoibmFtZSIsInYiOiJhIiwiaSI6MX0")
	f.Add("/v1/vms", "after=eyJzIjoibWVtb3J5X21pYiIsInYiOjF9&sort=memory_mib&descending=true")
	f.Add("/v1/changes", "after=latest&wait=0s&kind=vm&object=x")
	handler := api.Handler(r.server)
	f.Fuzz(func(t *testing.T, path, query string) {
		if q, err := url.ParseQuery(query); err == nil && q.Has("wait") {
			return // it would
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", http.NoBody)
		req.RemoteAddr, req.URL.Path, req.URL.RawQuery = "127.0.0.1:1", "/"+strings.TrimPrefix(path, "/"), query
		w := httptest.NewRecorder()
		began := time.Now()
		handler.ServeHTTP(w, req)
		if d := time.Since(began); d > 5*time.Second {
			t.Fatalf("%q?%q takes %s", path, query, d)
		}
		if w.Code >= 500 || w.Code < 200 {
			t.Fatalf("%q?%q = %d %s", path, query, w.Code, w.Body)
		}
		if path == "/metrics" || path == "/healthz" || path == "/readyz" {
			return
		}
		if !json.Valid(w.Body.Bytes()) && w.Body.Len() > 0 {
			t.Fatalf("%q?%q = %d, no JSON: %s", path, query, w.Code, w.Body)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%q?%q = %d %s", path, query, w.Code, w.Header())
		}
		if i := strings.IndexFunc(r.log.String(), odd); i >= 0 {
			t.Fatalf("%q?%q: the log holds %q", path, query, r.log.String()[i:])
		}
		r.log.forget()
	})
}

// FuzzCheckTokens holds that no token file makes the parser panic, and that none without a hash is taken.
func FuzzCheckTokens(f *testing.F) {
	f.Add(tokenFile())
	f.Add("tokens: [{name: a, sha256: '', scope: admin}]")
	f.Add("tokens: &a [*a]")
	f.Add("{")
	f.Fuzz(func(t *testing.T, text string) {
		if err := api.CheckTokens([]byte(text)); err == nil && !strings.Contains(text, "sha256") {
			t.Errorf("%q is taken for a token file", text)
		}
	})
}
