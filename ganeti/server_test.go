package ganeti_test

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ganeticache/ganeti"
)

// script answers one request on its connection, byte by byte as it likes; the
// connection is closed when it returns.
type script func(conn *tls.Conn, req *http.Request)

// serve starts a TLS server that lives as long as the test and closes every
// connection at its end.
func serve(tb testing.TB, cert tls.Certificate, answer script) (url string) {
	tb.Helper()
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}}
	return "https://" + listen(tb, func(raw net.Conn) {
		conn := tls.Server(raw, cfg)
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		answer(conn, req)
		if conn.CloseWrite() == nil {
			untilClosed(conn)
		}
	})
}

// untilClosed waits for the other side to close the connection.
func untilClosed(conn net.Conn) {
	for {
		if _, err := conn.Read(make([]byte, 100)); err != nil {
			return
		}
	}
}

// listen accepts connections on a port of its own.
func listen(tb testing.TB, handle func(net.Conn)) (address string) {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// send writes an answer with the headers RAPI sends.
func send(status int, body []byte) script {
	return func(conn *tls.Conn, _ *http.Request) {
		fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nConnection: close\r\n"+
			"Date: Sun, 22 Nov 2026 17:22:14 GMT\r\nServer: Ganeti 3.0.2\r\nContent-Length: %d\r\n\r\n%s",
			status, http.StatusText(status), len(body), body)
	}
}

// sendRaw writes just these bytes.
func sendRaw(text string) script {
	return func(conn *tls.Conn, _ *http.Request) { fmt.Fprint(conn, text) }
}

const testPassword = "s3cret-hunter2"

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// settings for a server with the given certificate, trusted by pin.
func settings(url string, cert tls.Certificate) ganeti.Settings {
	return ganeti.Settings{
		URL: url, Username: "gwm", Password: testPassword,
		TLS: ganeti.TLS{PinSHA256: ganeti.Pin(cert.Leaf)},
	}
}

func client(tb testing.TB, s ganeti.Settings) *ganeti.Client {
	tb.Helper()
	c, err := ganeti.New(s)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// authority signs the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func newAuthority(tb testing.TB) authority {
	tb.Helper()
	key := newKey(tb)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return authority{cert: sign(tb, template, template, key, key).Leaf, key: key}
}

func sign(tb testing.TB, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) tls.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// issue makes a server certificate for a name, valid until then.
func (a authority) issue(tb testing.TB, name string, until time.Time) tls.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	return sign(tb, template, a.cert, newKey(tb), a.key)
}

// ganetiCertificate makes what `gnt-cluster init` makes: self-signed, X.509
// version 1, serial 1, no subjectAltName, no extension at all.
func ganetiCertificate(tb testing.TB) tls.Certificate {
	tb.Helper()
	key := newKey(tb)
	name := pkix.Name{CommonName: "ganeti.example.com"}.ToRDNSequence()
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	ecdsaWithSHA256 := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}
	type validity struct{ NotBefore, NotAfter time.Time }
	tbs, err := asn1.Marshal(struct {
		Serial    int
		Algorithm pkix.AlgorithmIdentifier
		Issuer    pkix.RDNSequence
		Validity  validity
		Subject   pkix.RDNSequence
		PublicKey asn1.RawValue
	}{
		1, ecdsaWithSHA256, name,
		validity{time.Now().Add(-time.Hour).UTC(), time.Now().Add(time.Hour).UTC()},
		name,
		asn1.RawValue{FullBytes: public},
	})
	if err != nil {
		tb.Fatal(err)
	}
	digest := sha256.Sum256(tbs)
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, ecdsaWithSHA256, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	if leaf.Version != 1 || len(leaf.Extensions) != 0 {
		tb.Fatalf("version %d with %d extensions", leaf.Version, len(leaf.Extensions))
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// pemFile writes certificates to a file and returns its path.
func pemFile(tb testing.TB, certs ...*x509.Certificate) string {
	tb.Helper()
	var content []byte
	for _, c := range certs {
		content = append(content, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	path := filepath.Join(tb.TempDir(), "ca.pem")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
