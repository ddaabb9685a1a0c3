package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ganeticache/api"
	"ganeticache/db"
)

// slowCache has one VM, and its Ganeti never answers.
type slowCache struct{ api.Cache }

func (slowCache) VisibleClusters(context.Context, *db.Permitted) (map[string]bool, error) {
	return map[string]bool{"prod": true}, nil
}

func (slowCache) VMs(ctx context.Context, _ db.VMFilter, r api.Read) (api.Cached[db.Page[db.VMView]], error) {
	if !r.CacheOnly {
		<-ctx.Done()
		return api.Cached[db.Page[db.VMView]]{}, ctx.Err()
	}
	page := db.Page[db.VMView]{Items: []db.VMView{{VM: db.VM{Object: db.Object{Name: "old.example"}}}}}
	return api.Cached[db.Page[db.VMView]]{Value: page, RefreshedAt: time.Now().Add(-time.Hour), Age: time.Hour}, nil
}

func (slowCache) LastChange(context.Context) (int64, error) { return 0, nil }

func TestAPI_ServesOldDataWhenGanetiTakesTooLong(t *testing.T) {
	t.Parallel()
	s, _ := serveUntil(t, api.Options{Address: "127.0.0.1:0", Gatherer: prometheus.NewRegistry(), Cache: slowCache{}})
	handler := api.Handler(s)
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			query  string
			status int
			want   string
			lasts  time.Duration
		}{
			{"?cache=only", 200, "old.example", 0},
			{"", 200, "no answer within 50s", 50 * time.Second},
			// Who insists is told what the cluster's own time-outs end with; this cache has none.
			{"?cache=refresh", 504, "this took too long", 290 * time.Second},
		} {
			began := time.Now()
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/v1/vms"+tt.query, http.NoBody)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, req)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) || time.Since(began) != tt.lasts {
				t.Errorf("%s = %d after %s, want %d after %s: %s", tt.query, w.Code, time.Since(began), tt.status, tt.lasts, w.Body)
			}
		}
	})
}
