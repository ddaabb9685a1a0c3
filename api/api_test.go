package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"ganeticache/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServer_AnswersHealthAndMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	count := prometheus.NewCounter(prometheus.CounterOpts{Name: "ganeti_updater_test_total", Help: "A counter."})
	reg.MustRegister(count)
	count.Inc()
	for _, tt := range []struct {
		name, method, path string
		notReady           error
		status             int
		want               string
	}{
		{name: "health", path: "/healthz", status: 200, want: "ok"},
		{name: "health does not ask the database", path: "/healthz", notReady: errors.New("database away"), status: 200, want: "ok"},
		{name: "ready", path: "/readyz", status: 200, want: "ok"},
		{name: "not ready", path: "/readyz", notReady: errors.New("database away"), status: 503, want: "database away"},
		{name: "metrics", path: "/metrics", status: 200, want: "ganeti_updater_test_total 1"},
		{name: "unknown", path: "/etc/passwd", status: 404, want: "there is nothing at this path"},
		{name: "write", method: http.MethodPost, path: "/healthz", status: 405, want: "this path takes GET, HEAD only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base := serve(t, api.Options{
				Address: "127.0.0.1:0", Gatherer: reg, Ready: func(context.Context) error { return tt.notReady },
			})
			req, err := http.NewRequestWithContext(t.Context(), tt.method, base+tt.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
				t.Errorf("%s = %d %q, want %d with %q", tt.path, resp.StatusCode, body, tt.status, tt.want)
			}
		})
	}
}

func TestListen_NamesTheAddressInUse(t *testing.T) {
	t.Parallel()
	base := serve(t, api.Options{Address: "127.0.0.1:0", Gatherer: prometheus.NewRegistry()})
	taken := strings.TrimPrefix(base, "http://")
	_, err := api.Listen(t.Context(), api.Options{Address: taken})
	if err == nil || !strings.Contains(err.Error(), taken) || !strings.Contains(err.Error(), "`listen`") {
		t.Errorf("listening twice on %s = %v, want an error that names the address and the key", taken, err)
	}
}

// serve runs a server until the test ends and checks that it stops cleanly.
func serve(t *testing.T, o api.Options) (base string) {
	t.Helper()
	s, _ := serveUntil(t, o)
	return "http://" + s.Address()
}
