package rapisim_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"

	"ganeticache/ganeti/rapisim"
)

// BenchmarkBulk measures the answer about 10,000 KVM guests against the least
// any server could do: TLS and one write of the same bytes.
func BenchmarkBulk(b *testing.B) {
	s := serve(b, rapisim.Options{VMs: 10_000, KVMShare: 1})
	body := get(b, s, bulk)
	b.Run("simulator", func(b *testing.B) { download(b, s.Addr(), len(body)) })
	compact := serve(b, rapisim.Options{VMs: 10_000, KVMShare: 1, Compact: true})
	b.Run("compact", func(b *testing.B) { download(b, compact.Addr(), len(body)) })
	b.Run("bare", func(b *testing.B) { download(b, bare(b, body), len(body)) })
	b.Run("simulator-100-changes", func(b *testing.B) {
		for b.Loop() {
			s.Cluster().Churn(100)
			if read(b, s.Addr()) == 0 {
				b.Fatal("nothing came")
			}
		}
	})
}

func download(b *testing.B, addr string, size int) {
	b.Helper()
	b.SetBytes(int64(size))
	for b.Loop() {
		if n := read(b, addr); n < int64(size) {
			b.Fatalf("%d bytes came, want %d", n, size)
		}
	}
}

// read asks for the bulk answer and throws it away.
func read(b *testing.B, addr string) int64 {
	b.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	must(b, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET "+bulk+" HTTP/1.1\r\nHost: x\r\nAuthorization: Basic Z3dtOnNlY3JldA==\r\n\r\n")
	must(b, err)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{conn}, make([]byte, 64<<10))
	must(b, err)
	return n
}

// bare serves body to whoever sends anything.
func bare(b *testing.B, body []byte) string {
	b.Helper()
	id, err := rapisim.NewIdentity()
	must(b, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	b.Cleanup(func() { l.Close() })
	secure := tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{id.Certificate()}})
	go func() {
		for {
			conn, err := secure.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := conn.Read(make([]byte, 4096)); err != nil {
					return
				}
				if _, err := conn.Write(body); err != nil {
					return
				}
			}()
		}
	}()
	return l.Addr().String()
}

// BenchmarkHandshake is the cost of the smallest answer: a TLS handshake.
func BenchmarkHandshake(b *testing.B) {
	s := serve(b, rapisim.Options{VMs: 1})
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}}
	c := &http.Client{Transport: transport}
	for b.Loop() {
		if _, _, err := fetch(b, c, s, "/version"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory reports what a cluster of 10,000 KVM guests holds, once its
// answers are prepared, and how large the largest of them is.
func BenchmarkMemory(b *testing.B) {
	for name, compact := range map[string]bool{"usual": false, "compact": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				s := serve(b, rapisim.Options{VMs: 10_000, KVMShare: 1, Compact: compact})
				size := len(get(b, s, bulk))
				held := heap() - before
				b.ReportMetric(float64(size)/1e6, "MB-body")
				b.ReportMetric(float64(held)/1e4, "B-held/VM")
				b.ReportMetric(float64(held)/float64(size), "held/body")
				runtime.KeepAlive(s)
				s.Close()
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
