package ganeti_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"ganeticache/ganeti"
)

// rsaCertificate is of the kind that old servers have: their ciphers know RSA only.
func rsaCertificate(tb testing.TB) tls.Certificate {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// TestTLS_MinVersion: nothing below 1.2 is spoken unless the setting says so, and a newer version whenever the server has one.
func TestTLS_MinVersion(t *testing.T) {
	t.Parallel()
	cert := rsaCertificate(t)
	onlyRSA := []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	tests := []struct {
		name     string
		low, top uint16 // of the server
		suites   []uint16
		setting  string
		want     uint16 // 0: refused
	}{
		{"1.0 by default", tls.VersionTLS10, tls.VersionTLS10, nil, "", 0},
		{"1.1 by default", tls.VersionTLS10, tls.VersionTLS11, nil, "", 0},
		{"1.2 by default", tls.VersionTLS10, tls.VersionTLS12, nil, "", tls.VersionTLS12},
		{"1.2 without forward secrecy by default", tls.VersionTLS12, tls.VersionTLS12, onlyRSA, "", 0},
		{"1.3 by default", tls.VersionTLS10, tls.VersionTLS13, nil, "", tls.VersionTLS13},
		{"1.1 when 1.2 is asked for", tls.VersionTLS10, tls.VersionTLS11, nil, "1.2", 0},
		{"1.2 when 1.3 is asked for", tls.VersionTLS10, tls.VersionTLS12, nil, "1.3", 0},
		{"1.3 when it is asked for", tls.VersionTLS13, tls.VersionTLS13, nil, "1.3", tls.VersionTLS13},
		{"1.0 when 1.1 is allowed", tls.VersionTLS10, tls.VersionTLS10, nil, "1.1", 0},
		{"1.1 when it is allowed", tls.VersionTLS10, tls.VersionTLS11, nil, "1.1", tls.VersionTLS11},
		{"1.0 when it is allowed", tls.VersionTLS10, tls.VersionTLS10, nil, "1.0", tls.VersionTLS10},
		{"1.2 without forward secrecy when old servers are allowed", tls.VersionTLS12, tls.VersionTLS12, onlyRSA, "1.0", tls.VersionTLS12},
		{"the same with the ciphers of 1.2", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_256_GCM_SHA384}, "1.0", tls.VersionTLS12},
		{"1.0 with an old cipher", tls.VersionTLS10, tls.VersionTLS10, onlyRSA, "1.0", tls.VersionTLS10},
		{"1.3 although 1.0 is allowed", tls.VersionTLS10, tls.VersionTLS13, nil, "1.0", tls.VersionTLS13},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := &tls.Config{
				Certificates: []tls.Certificate{cert}, MinVersion: tt.low, MaxVersion: tt.top, CipherSuites: tt.suites,
			}
			spoken := make(chan uint16, 1)
			address := listen(t, func(raw net.Conn) {
				conn := tls.Server(raw, cfg)
				if conn.HandshakeContext(context.Background()) != nil {
					spoken <- 0
					return
				}
				// In TLS 1.3 the client may refuse after the server has finished: only a request counts.
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					spoken <- 0
					return
				}
				spoken <- conn.ConnectionState().Version
			})
			s := settings("https://"+address, cert)
			s.TLS.MinVersion = tt.setting
			_, err := client(t, s).Info(t.Context())
			if got := <-spoken; got != tt.want {
				t.Errorf("%s is spoken, want %s", tls.VersionName(got), tls.VersionName(tt.want))
			}
			if refused := errors.Is(err, ganeti.ErrTLS); refused != (tt.want == 0) {
				t.Errorf("the client says %v", err)
			}
			if tt.want == 0 && !strings.Contains(err.Error(), "set tls.min_version") {
				t.Errorf("the error does not say what to set: %v", err)
			}
			// Its certificate can be looked at whatever it speaks.
			if _, err := ganeti.FetchCertificate(t.Context(), address, ganeti.DefaultTimeouts()); err != nil {
				t.Error(err)
			}
			<-spoken
		})
	}
}

func TestTLS_MinVersion_Settings(t *testing.T) {
	t.Parallel()
	for text, outdated := range map[string]bool{"": false, "1.3": false, "1.2": false, "1.1": true, "1.0": true} {
		settings := ganeti.TLS{MinVersion: text}
		if err := settings.Validate(); err != nil || settings.Outdated() != outdated {
			t.Errorf("%q: outdated %v, %v", text, settings.Outdated(), err)
		}
	}
	for _, text := range []string{"1", "SSLv3", "1.4", "12", "tls1.2"} {
		if err := (ganeti.TLS{MinVersion: text}).Validate(); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	// Another setting needs another client, or it would only hold after a restart.
	pool := ganeti.NewPool([]byte("key"))
	s := ganeti.Settings{URL: "https://h"}
	first, err := pool.Get(s)
	if err != nil {
		t.Fatal(err)
	}
	s.TLS.MinVersion = "1.3"
	if second, err := pool.Get(s); err != nil || second == first {
		t.Errorf("the client of the old setting is kept (%v)", err)
	}
}
