package ganeti_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"ganeticache/ganeti"
)

// BenchmarkTLS sets the download of an unchanged answer beside a bare one.
func BenchmarkTLS(b *testing.B) {
	body, _ := kvmBody(b, benchItems)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Header().Set("Connection", "close")
		if _, err := w.Write(body); err != nil {
			b.Error(err)
		}
	}))
	b.Cleanup(srv.Close)
	b.Run("bare", func(b *testing.B) {
		client := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)},
		}}
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			resp, err := client.Get(srv.URL)
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != int64(len(body)) {
				b.Fatal(n, err)
			}
			resp.Body.Close()
		}
	})
	c, err := ganeti.New(ganeti.Settings{URL: srv.URL, TLS: ganeti.TLS{PinSHA256: ganeti.Pin(srv.Certificate())}})
	if err != nil {
		b.Fatal(err)
	}
	bulk := func(b *testing.B, known *ganeti.Index) *ganeti.Delta {
		b.Helper()
		d, err := c.Bulk(b.Context(), ganeti.Instances, known)
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	first := bulk(b, nil)
	warm := first.Index(keysOf(first), nil)
	for name, known := range map[string]*ganeti.Index{"warm": warm, "new": nil} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				bulk(b, known)
			}
		})
	}
}
