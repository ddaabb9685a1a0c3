package api_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"ganeticache/api"
	"ganeticache/db/dbtest"
)

// FuzzAPI_Parameters gives every parameter of every list any value, two at a time, and any bytes as a cursor that is well
// wrapped: each is answered with data or with a problem of the client's own.
func FuzzAPI_Parameters(f *testing.F) {
	r := newRig(f, dbtest.SQLite(f), "", nil)
	params := listParams()
	paths := slices.Sorted(maps.Keys(params))
	for i := range paths {
		for j, value := range hostile() {
			f.Add(uint8(i), uint8(j), value, uint8(j+7), "name", []byte(`{"s":"name","v":"a","i":1}`))
		}
	}
	for i, sort := range []string{"id", "cached_at", "vcpus", "tags", "ctime", "cluster"} {
		f.Add(uint8(5), uint8(5), sort, uint8(6), "true", fmt.Appendf(nil, `{"s":%q,"d":true,"v":null,"i":%d}`, sort, i))
	}
	handler := api.Handler(r.server)
	f.Fuzz(func(t *testing.T, path, first uint8, value string, second uint8, other string, cursor []byte) {
		target := paths[int(path)%len(paths)]
		names := params[target]
		q := url.Values{}
		q.Set(names[int(first)%len(names)], value)
		q.Set(names[int(second)%len(names)], other)
		if q.Has("wait") {
			return // it would
		}
		if len(cursor) > 0 {
			q.Set("after", base64.RawURLEncoding.EncodeToString(cursor))
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+target+"?"+q.Encode(), http.NoBody)
		req.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		switch {
		case w.Code >= 500 || w.Code < 200 || w.Code >= 300 && w.Code < 400:
			t.Errorf("%s?%s = %d %s", target, q.Encode(), w.Code, w.Body)
		case !json.Valid(w.Body.Bytes()):
			t.Errorf("%s?%s = %d, no JSON: %s", target, q.Encode(), w.Code, w.Body)
		case w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json":
			t.Errorf("%s?%s = %d %s", target, q.Encode(), w.Code, w.Header())
		}
		r.log.forget()
	})
}
