package api_test

import (
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ganeticache/api"
	"ganeticache/db/dbtest"
)

// request is a line of the documentation that runs curl: options, address, and the status in a comment, if it is not 200.
var request = regexp.MustCompile(`^curl(?: -X ([A-Z]+))?(?: -H "([^"]+)")? "\$API([^"]*)"(?: +#(.*))?$`)

// TestDocs_EveryRequest runs each request of docs/api.md as it stands there.
func TestDocs_EveryRequest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/api.md")
	must(t, err)
	r := newRig(t, dbtest.SQLite(t), tokenFile(), nil)
	etag := r.as("admin-token", "/v1/vms").header.Get("ETag")
	page := decode[api.List[api.VM]](r.as("admin-token", "/v1/vms?limit=5"))
	fill := strings.NewReplacer("$TOKEN", "admin-token", "$ETAG", etag, "$NEXT", page.Next, "$CURSOR", "0")
	n := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "curl") {
			continue
		}
		parts := request.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if parts == nil {
			t.Errorf("the test does not understand %q", line)
			continue
		}
		n++
		method, status := parts[1], http.StatusOK
		if method == "" {
			method = http.MethodGet
		}
		if code, err := strconv.Atoi(strings.TrimSpace(parts[4])); err == nil {
			status = code
		}
		headers := []string{"Authorization", "Bearer admin-token"}
		if name, value, found := strings.Cut(parts[2], ": "); found {
			headers = append(headers, name, fill.Replace(value))
		}
		if a := r.do(method, fill.Replace(parts[3]), headers...); a.status != status {
			t.Errorf("%s = %d, want %d: %s", strings.TrimSpace(line), a.status, status, a.body)
		}
	}
	if n < 30 {
		t.Errorf("%d requests were found; the page has more", n)
	}
}

// TestDocs_EveryPath holds that the page names every path of the API.
func TestDocs_EveryPath(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/api.md")
	must(t, err)
	r := newRig(t, dbtest.SQLite(t), "", nil)
	document := decode[struct {
		OpenAPI string
		Paths   map[string]map[string]struct{ OperationID, Summary string }
	}](r.get("/v1/openapi.json"))
	if document.OpenAPI != "3.1.0" || len(document.Paths) < 10 {
		t.Fatalf("%s with %d paths", document.OpenAPI, len(document.Paths))
	}
	for path, operations := range document.Paths {
		if list := strings.TrimSuffix(path, "/{cluster}/{name}"); !strings.Contains(string(text), list) {
			t.Errorf("docs/api.md does not mention %s", path)
		}
		for method, o := range operations {
			if o.OperationID == "" || o.Summary == "" {
				t.Errorf("%s %s is not described", method, path)
			}
		}
	}
}
