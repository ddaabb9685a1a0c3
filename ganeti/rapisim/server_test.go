package rapisim_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti/rapisim"
)

// TestServer_Recordings sends the requests that were recorded and compares the
// headers, byte by byte but for dates and lengths, and the bodies where those
// do not depend on the cluster.
func TestServer_Recordings(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{VMs: 20, KVMShare: 0.2, Jobs: 52})
	first := s.Cluster().Instances()[0]
	tests := []struct {
		file, method, path, user, password string
		sameBody                           bool
	}{
		{"info", "GET", "/2/info", "gwm", "secret", false},
		{"version", "GET", "/version", "gwm", "secret", true},
		{"root", "GET", "/", "gwm", "secret", true},
		{"two", "GET", "/2", "gwm", "secret", true},
		{"two-version-404", "GET", "/2/version", "gwm", "secret", true},
		{"features", "GET", "/2/features", "gwm", "secret", true},
		{"tags", "GET", "/2/tags", "gwm", "secret", false},
		{"instances", "GET", "/2/instances", "gwm", "secret", false},
		{"bulk-0", "GET", "/2/instances?bulk=0", "gwm", "secret", false},
		{"bulk-empty", "GET", "/2/instances?bulk", "gwm", "secret", false},
		{"bulk-x", "GET", "/2/instances?bulk=x", "gwm", "secret", true},
		{"instances-bulk", "GET", "/2/instances?bulk=1", "gwm", "secret", false},
		{"instance", "GET", "/2/instances/" + first.Name, "gwm", "secret", false},
		{"instance-shortname", "GET", "/2/instances/inst0001", "gwm", "secret", false},
		{"instance-by-uuid", "GET", "/2/instances/" + first.UUID, "gwm", "secret", false},
		{"instance-uppercase", "GET", "/2/instances/INST0001.example", "gwm", "secret", true},
		{"instance-tags", "GET", "/2/instances/inst0001/tags", "gwm", "secret", false},
		{"nodes", "GET", "/2/nodes", "gwm", "secret", false},
		{"nodes-bulk", "GET", "/2/nodes?bulk=1", "gwm", "secret", false},
		{"node", "GET", "/2/nodes/node1.example", "gwm", "secret", false},
		{"node-role", "GET", "/2/nodes/node1.example/role", "gwm", "secret", true},
		{"groups-bulk", "GET", "/2/groups?bulk=1", "gwm", "secret", false},
		{"networks-bulk", "GET", "/2/networks?bulk=1", "gwm", "secret", false},
		{"jobs", "GET", "/2/jobs", "gwm", "secret", true},
		{"jobs-bulk", "GET", "/2/jobs?bulk=1", "gwm", "secret", false},
		{"job", "GET", "/2/jobs/52", "gwm", "secret", false},
		{"job-404", "GET", "/2/jobs/999999", "gwm", "secret", true},
		{"job-notanumber", "GET", "/2/jobs/abc", "gwm", "secret", true},
		{"err-401-nocreds", "GET", "/2/info", "", "", true},
		{"err-401-nouser", "GET", "/2/info", "nobody", "secret", true},
		{"err-401-wrongpw", "GET", "/2/info", "gwm", "wrong", true},
		{"err-401-unknownpath-nocreds", "GET", "/2/nope", "", "", true},
		{"err-403-readonly", "PUT", "/2/instances/inst0001.example/startup", "gwm", "secret", true},
		{"query-instance-put", "PUT", "/2/query/instance", "gwm", "secret", true},
		{"err-404-instance", "GET", "/2/instances/nope", "gwm", "secret", true},
		{"err-404-path", "GET", "/2/nope", "gwm", "secret", true},
		{"err-501-method", "PATCH", "/2/instances", "gwm", "secret", true},
		{"err-501-delete-info", "DELETE", "/2/info", "gwm", "secret", true},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			head, body := ask(t, s, tt.method, tt.path, tt.user, tt.password)
			want := constantHeaders(recorded(t, tt.file+".headers"))
			if diff := cmp.Diff(want, constantHeaders(head)); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if length := fmt.Sprintf("\r\nContent-Length: %d\r\n", len(body)); !bytes.Contains(head, []byte(length)) {
				t.Errorf("%d bytes came after %s", len(body), head)
			}
			if tt.sameBody {
				if diff := cmp.Diff(string(recorded(t, tt.file+".body")), string(body)); diff != "" {
					t.Errorf("body (-want +got):\n%s", diff)
				}
			}
			if last := body[len(body)-1]; last != '\n' {
				t.Errorf("body ends with %q, want a line end", last)
			}
		})
	}
}

func TestServer_NamesOfAnInstance(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{})
	v := s.Cluster().Instances()[2]
	want := get(t, s, "/2/instances/"+v.Name)
	for _, name := range []string{"inst0003", v.UUID} {
		if diff := cmp.Diff(want, get(t, s, "/2/instances/"+name)); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", name, diff)
		}
	}
	bulk := get(t, s, "/2/instances?bulk=1")
	if !bytes.Contains(bulk, bytes.TrimSpace(want)) {
		t.Errorf("the bulk answer lacks the item %s", want)
	}
}

// TestServer_Transport checks the rest of what FACTS say of RAPI's HTTP and TLS.
func TestServer_Transport(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{})
	config := &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}, ServerName: "rapi",
		ClientSessionCache: tls.NewLRUClientSessionCache(2),
	}
	exchange := func(request string) (tls.ConnectionState, string) {
		conn, err := tls.Dial("tcp", s.Addr(), config)
		must(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, request)
		must(t, err)
		answer, err := io.ReadAll(conn)
		must(t, err)
		return conn.ConnectionState(), string(answer)
	}
	const auth = "Authorization: Basic Z3dtOnNlY3JldA==\r\n"
	state, answer := exchange("GET /version HTTP/1.0\r\n" + auth + "\r\n")
	if want := "HTTP/1.0 200 OK\r\n"; answer[:len(want)] != want {
		t.Errorf("HTTP/1.0 was answered with %q", answer)
	}
	if state.DidResume || state.NegotiatedProtocol != "" {
		t.Errorf("first connection: resumed %v, protocol %q", state.DidResume, state.NegotiatedProtocol)
	}
	two := "GET /version HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n" + auth + "\r\n"
	state, answer = exchange(two + two)
	if n := bytes.Count([]byte(answer), []byte("HTTP/1.1 ")); n != 1 {
		t.Errorf("two requests on one connection got %d answers, want 1", n)
	}
	if !state.DidResume {
		t.Error("second connection: not resumed")
	}
	_, answer = exchange("HEAD /2/info HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 501 ") || !strings.HasSuffix(answer, "Content-Length: 125\r\n\r\n") {
		t.Errorf("HEAD was answered with %q", answer)
	}
	old := config.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", s.Addr(), old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 was accepted")
	}
}

// TestServer_Certificate: like the recorded one, X.509 version 1 without names.
func TestServer_Certificate(t *testing.T) {
	t.Parallel()
	own, err := rapisim.NewIdentity()
	must(t, err)
	want := parse(t, recorded(t, "rapi-cert.pem"))
	for name, s := range map[string]*rapisim.Server{
		"shared": serve(t, rapisim.Options{}), "own": serve(t, rapisim.Options{}, rapisim.WithIdentity(own)),
	} {
		conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{InsecureSkipVerify: true})
		must(t, err)
		sent := conn.ConnectionState().PeerCertificates[0]
		conn.Close()
		if sum := sha256.Sum256(sent.Raw); hex.EncodeToString(sum[:]) != s.Pin() {
			t.Errorf("%s: pin is %s, the certificate's hash %x", name, s.Pin(), sum)
		}
		if !sent.Equal(parse(t, s.CertificatePEM())) {
			t.Errorf("%s: another certificate was sent than CertificatePEM returns", name)
		}
		if diff := cmp.Diff(traits(want), traits(sent)); diff != "" {
			t.Errorf("%s: certificate (-want +got):\n%s", name, diff)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(s.CertificatePEM())
		if conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: roots}); err == nil {
			conn.Close()
			t.Errorf("%s: usual verification accepted it", name)
		}
	}
	if shared := serve(t, rapisim.Options{}); shared.Pin() == own.Pin() {
		t.Error("two identities have one pin")
	}
}

func parse(tb testing.TB, text []byte) *x509.Certificate {
	tb.Helper()
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	must(tb, err)
	must(tb, cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature))
	return cert
}

func traits(c *x509.Certificate) []any {
	return []any{
		c.Version, c.SerialNumber.String(), c.Issuer.String(), c.Subject.String(), len(c.DNSNames), len(c.IPAddresses),
		len(c.Extensions), c.SignatureAlgorithm.String(), c.PublicKeyAlgorithm.String(), c.IsCA,
	}
}

func TestServer_Requests(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{})
	get(t, s, "/2/info")
	get(t, s, "/2/instances?bulk=1")
	get(t, s, "/2/instances")
	if got := s.Count("/2/instances"); got != 2 {
		t.Errorf("Count is %d, want 2", got)
	}
	var queries []string
	for _, r := range s.Requests() {
		queries = append(queries, r.Method+" "+r.Path+" "+r.Query)
	}
	want := []string{"GET /2/info ", "GET /2/instances bulk=1", "GET /2/instances "}
	if diff := cmp.Diff(want, queries); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	s.Forget()
	if s.Total() != 0 || len(s.Requests()) != 0 {
		t.Errorf("after Forget: %d requests", s.Total())
	}
}

// TestServer_MaxClients: who comes when all places are taken waits in the TLS
// handshake, and is served when one leaves.
func TestServer_MaxClients(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{}, rapisim.WithMaxClients(1))
	s.Hurt(rapisim.Hang().For(1))
	holder, err := tls.Dial("tcp", s.Addr(), &tls.Config{InsecureSkipVerify: true})
	must(t, err)
	_, err = io.WriteString(holder, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err)
	must(t, s.Await(t.Context(), 1)) // the place is taken
	c := client(t)
	c.Transport.(*http.Transport).TLSHandshakeTimeout = 100 * time.Millisecond
	if _, _, err := fetch(t, c, s, "/version"); err == nil {
		t.Error("a second client was served")
	}
	must(t, holder.Close())
	get(t, s, "/version")
}

func TestServer_Parallel(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{VMs: 300, KVMShare: 0.5, Jobs: 10})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for _, path := range []string{"/2/instances?bulk=1", "/2/nodes?bulk=1", "/2/networks?bulk=1", "/2/jobs?bulk=1", "/2/instances"} {
				s.Cluster().Churn(20)
				resp, _, err := fetch(t, client(t), s, path)
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("GET %s: %v", path, err)
				}
			}
		})
	}
	all.Wait()
}

func TestFarm(t *testing.T) {
	t.Parallel()
	f, err := rapisim.NewFarm(5, rapisim.Options{Name: "prod.example", VMs: 3})
	must(t, err)
	defer f.Close()
	uuids := map[string]bool{}
	for i, s := range f.Servers() {
		c := s.Cluster()
		if want := fmt.Sprintf("prod%d.example", i+1); c.Name() != want {
			t.Errorf("cluster %d is called %s, want %s", i, c.Name(), want)
		}
		uuids[c.UUID()] = true
		if !bytes.Contains(get(t, s, "/2/info"), []byte(c.UUID())) {
			t.Errorf("%s tells another uuid", c.Name())
		}
	}
	if len(uuids) != 5 {
		t.Errorf("%d uuids, want 5", len(uuids))
	}
}
