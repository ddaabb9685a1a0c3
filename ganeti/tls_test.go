package ganeti_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ganeticache/ganeti"
)

func TestPin_RecordedCertificate(t *testing.T) {
	t.Parallel()
	block, _ := pem.Decode(file(t, "rapi-cert.pem"))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	// As `openssl x509 -in rapi-cert.pem -noout -fingerprint -sha256` prints it.
	const want = "D1:D3:4C:B3:FF:DC:30:98:75:03:B9:14:2A:14:F7:E1:F6:4F:7E:1E:E4:CB:CA:A1:58:70:1D:9C:B6:AE:46:1D"
	if got := ganeti.Pin(cert); got != want {
		t.Errorf("Pin = %s, want %s", got, want)
	}
	pin, err := ganeti.ParsePin(want)
	if err != nil {
		t.Fatal(err)
	}
	bare := strings.ReplaceAll(want, ":", "")
	for _, text := range []string{
		bare, strings.ToLower(bare), strings.ToLower(want), "SHA256 Fingerprint=" + want, "sha256 Fingerprint=" + want,
		" SHA256 FINGERPRINT = " + bare + " \n",
	} {
		if got, err := ganeti.ParsePin(text); err != nil || got != pin {
			t.Errorf("ParsePin(%q) = %x, %v", text, got, err)
		}
	}
	for _, text := range []string{"", bare[:62], bare + "00", "SHA1 Fingerprint=" + bare, "md5=" + bare, bare[:63] + "g", "="} {
		if _, err := ganeti.ParsePin(text); err == nil {
			t.Errorf("ParsePin(%q) is accepted", text)
		}
	}
}

func TestClient_Trust(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	v1 := ganetiCertificate(t)
	soon := time.Now().Add(time.Hour)
	forIP, forName := ca.issue(t, "127.0.0.1", soon), ca.issue(t, "rapi.example.org", soon)
	expired := ca.issue(t, "127.0.0.1", time.Now().Add(-time.Hour))
	tests := []struct {
		name string
		cert tls.Certificate
		tls  ganeti.TLS
		want error
		text string
	}{
		{"Ganeti's own by pin", v1, ganeti.TLS{PinSHA256: ganeti.Pin(v1.Leaf)}, nil, ""},
		{"Ganeti's own by ca_file", v1, ganeti.TLS{CAFile: pemFile(t, v1.Leaf)}, nil, ""},
		{"Ganeti's own among others", v1, ganeti.TLS{CAFile: pemFile(t, other.cert, v1.Leaf)}, nil, ""},
		{"Ganeti's own unchecked", v1, ganeti.TLS{InsecureSkipVerify: true}, nil, ""},
		{"Ganeti's own by the system", v1, ganeti.TLS{}, ganeti.ErrTLS, "updater trust 127.0.0.1:"},
		{"another of Ganeti's by ca_file", v1, ganeti.TLS{CAFile: pemFile(t, ganetiCertificate(t).Leaf)}, ganeti.ErrTLS, "tls.ca_file"},
		{"another pin", v1, ganeti.TLS{PinSHA256: ganeti.Pin(forIP.Leaf)}, ganeti.ErrPinMismatch, ganeti.Pin(v1.Leaf)},
		{"by CA", forIP, ganeti.TLS{CAFile: pemFile(t, ca.cert)}, nil, ""},
		{"by CA and server_name", forName, ganeti.TLS{CAFile: pemFile(t, ca.cert), ServerName: "rapi.example.org"}, nil, ""},
		{"by CA for another name", forName, ganeti.TLS{CAFile: pemFile(t, ca.cert)}, ganeti.ErrTLS, "tls.server_name"},
		{"by CA and a wrong server_name", forName, ganeti.TLS{CAFile: pemFile(t, ca.cert), ServerName: "x.example.org"}, ganeti.ErrTLS, "x.example.org"},
		{"by another CA", forIP, ganeti.TLS{CAFile: pemFile(t, other.cert)}, ganeti.ErrTLS, "unknown authority"},
		{"expired, by CA", expired, ganeti.TLS{CAFile: pemFile(t, ca.cert)}, ganeti.ErrTLS, "expired"},
		{"expired, by pin", expired, ganeti.TLS{PinSHA256: ganeti.Pin(expired.Leaf)}, nil, ""},
		{"by the system's roots", forIP, ganeti.TLS{}, ganeti.ErrTLS, "tls.pin_sha256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, tt.cert, send(http.StatusOK, []byte("[]\n")))
			s := ganeti.Settings{URL: url, Username: "gwm", Password: testPassword, TLS: tt.tls}
			c := client(t, s)
			for range 2 { // the second time on a resumed session
				_, err := c.Bulk(t.Context(), ganeti.Nodes, nil)
				if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.text) {
					t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
				}
				if want := map[bool]string{true: "", false: "tls"}[tt.want == nil]; ganeti.Reason(err) != want {
					t.Errorf("Reason = %q, want %q", ganeti.Reason(err), want)
				}
			}
		})
	}
}

func TestClient_ResumesSessions(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	var resumed atomic.Int32
	url := serve(t, cert, func(conn *tls.Conn, req *http.Request) {
		if conn.ConnectionState().DidResume {
			resumed.Add(1)
		}
		send(http.StatusOK, []byte("[]\n"))(conn, req)
	})
	c := client(t, settings(url, cert))
	for range 3 {
		if _, err := c.Bulk(t.Context(), ganeti.Nodes, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := resumed.Load(); n != 2 {
		t.Errorf("%d of 3 connections resumed a session, want 2", n)
	}
}

func TestClient_OldTLS(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	old := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	address := listen(t, func(raw net.Conn) {
		if err := tls.Server(raw, old).HandshakeContext(context.Background()); err == nil {
			t.Error("the handshake succeeds")
		}
	})
	_, err := client(t, settings("https://"+address, cert)).Info(t.Context())
	if !errors.Is(err, ganeti.ErrTLS) {
		t.Errorf("TLS 1.1: got %v", err)
	}
}

func TestClient_CAFile(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"testdata/none.pem":  "tls.ca_file: open testdata/none.pem: no such file",
		"testdata/info.body": "tls.ca_file: testdata/info.body: holds no PEM certificate",
	} {
		_, err := ganeti.New(ganeti.Settings{URL: "https://h", TLS: ganeti.TLS{CAFile: path}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

func TestFetchCertificate(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	url := serve(t, cert, send(http.StatusOK, nil))
	for _, target := range []string{url, strings.TrimPrefix(url, "https://")} {
		got, err := ganeti.FetchCertificate(t.Context(), target, ganeti.Timeouts{})
		if err != nil || !got.Equal(cert.Leaf) {
			t.Errorf("%s: %v", target, err)
		}
	}
	for _, target := range []string{"", "u:" + testPassword + "@h", "h:x", "http://h", "h,https://h2"} {
		_, err := ganeti.FetchCertificate(t.Context(), target, ganeti.Timeouts{})
		if err == nil || leaks(err.Error(), testPassword) {
			t.Errorf("%q: got %v", target, err)
		}
	}
	_, err := ganeti.FetchCertificate(t.Context(), closedPort(t), ganeti.Timeouts{})
	if !errors.Is(err, ganeti.ErrRefused) {
		t.Errorf("nobody listens: got %v", err)
	}
}

// closedPort returns an address where nobody listens.
func closedPort(tb testing.TB) string {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
