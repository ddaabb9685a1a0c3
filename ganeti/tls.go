package ganeti

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
)

// TLS says which certificate a cluster's RAPI may present. Exactly one of
// PinSHA256, CAFile and InsecureSkipVerify may be set; none of them means the
// system's roots.
//
// Ganeti makes itself a self-signed X.509 version 1 certificate without a
// subjectAltName, which no usual verification accepts. The pin does, and so
// does a CAFile that holds that very certificate. Both then trust exactly
// those bytes: the dates and names inside add nothing and are not looked at.
type TLS struct {
	// PinSHA256 is the SHA-256 of the certificate as
	// `openssl x509 -fingerprint -sha256` prints it: with or without colons
	// and the words in front, in any case.
	PinSHA256 string
	// CAFile names a PEM file with the certificates to trust. It is read
	// again whenever a client is asked for, so a renewed file is seen.
	CAFile string
	// ServerName is the name the certificate must carry; the host of the URL
	// when empty.
	ServerName string
	// InsecureSkipVerify trusts anyone who answers.
	InsecureSkipVerify bool
	// MinVersion is the oldest version of TLS that is spoken: "1.2" (the
	// default), "1.3", or for a RAPI that knows nothing newer "1.0" or "1.1",
	// which are broken: see [TLS.Outdated].
	MinVersion string
}

// Validate checks the settings against each other without reading CAFile.
func (t TLS) Validate() error {
	var errs []error
	var chosen []string
	if t.PinSHA256 != "" {
		chosen = append(chosen, "tls.pin_sha256")
		if _, err := ParsePin(t.PinSHA256); err != nil {
			errs = append(errs, fmt.Errorf("tls.pin_sha256: %w", err))
		}
	}
	if t.CAFile != "" {
		chosen = append(chosen, "tls.ca_file")
	}
	if t.InsecureSkipVerify {
		chosen = append(chosen, "tls.insecure_skip_verify")
	}
	if _, err := t.minVersion(); err != nil {
		errs = append(errs, err)
	}
	if len(chosen) > 1 {
		errs = append(errs, fmt.Errorf("%s: choose one, they exclude each other", strings.Join(chosen, " and ")))
	}
	return errors.Join(errs...)
}

// ParsePin reads a SHA-256 fingerprint the way openssl prints it.
func ParsePin(text string) ([sha256.Size]byte, error) {
	var pin [sha256.Size]byte
	s := strings.TrimSpace(text)
	if i := strings.LastIndexByte(s, '='); i >= 0 {
		if head := strings.TrimSpace(s[:i]); !strings.EqualFold(head, "sha256 fingerprint") {
			return pin, fmt.Errorf("%.40q is not a SHA-256 fingerprint; take the line that "+
				"`updater trust HOST:PORT` prints", head)
		}
		s = strings.TrimSpace(s[i+1:])
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil {
		return pin, errors.New("is not hexadecimal; take the line that `updater trust HOST:PORT` prints")
	}
	if len(raw) != len(pin) {
		return pin, fmt.Errorf("holds %d bytes, a SHA-256 has %d; take the line that "+
			"`updater trust HOST:PORT` prints", len(raw), len(pin))
	}
	return [sha256.Size]byte(raw), nil
}

// Pin returns the SHA-256 fingerprint of a certificate as openssl prints it:
// upper-case pairs of digits, separated by colons.
func Pin(cert *x509.Certificate) string { return pinOf(cert.Raw) }

func pinOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	text := make([]byte, 0, 3*len(sum))
	for _, b := range sum {
		text = fmt.Appendf(text, ":%02X", b)
	}
	return string(text[1:])
}

// readCA returns the content of CAFile, nil when there is none.
func (t TLS) readCA() ([]byte, error) {
	if t.CAFile == "" {
		return nil, nil
	}
	content, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fmt.Errorf("tls.ca_file: %w", err)
	}
	return content, nil
}

// config builds the client configuration. Except with the system's roots, the
// usual verification is replaced by VerifyConnection, which unlike
// VerifyPeerCertificate also runs on resumed sessions.
func (t TLS) config(host string, ca []byte) (*tls.Config, error) {
	name := t.ServerName
	if name == "" {
		name = host
	}
	oldest, err := t.minVersion()
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{
		MinVersion:         oldest,
		CipherSuites:       cipherSuites(oldest),
		ServerName:         name,
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	switch {
	case t.PinSHA256 != "":
		pin, err := ParsePin(t.PinSHA256)
		if err != nil {
			return nil, fmt.Errorf("tls.pin_sha256: %w", err)
		}
		cfg.InsecureSkipVerify = true // VerifyConnection does it
		cfg.VerifyConnection = verifyPin(pin)
	case t.CAFile != "":
		certs, err := parseCertificates(ca)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %s: %w", t.CAFile, err)
		}
		cfg.InsecureSkipVerify = true // VerifyConnection does it
		cfg.VerifyConnection = verifyCA(certs, name)
	case t.InsecureSkipVerify:
		cfg.InsecureSkipVerify = true
	}
	return cfg, nil
}

func verifyPin(pin [sha256.Size]byte) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		leaf := cs.PeerCertificates[0]
		if sha256.Sum256(leaf.Raw) == pin {
			return nil
		}
		return fmt.Errorf("%w: the server presents %s; if `gnt-cluster renew-crypto` made a new certificate, "+
			"compare it on the master node and set tls.pin_sha256 to it, otherwise somebody else is answering",
			ErrPinMismatch, Pin(leaf))
	}
}

// verifyCA accepts one of the certificates itself, else a chain to one of them
// that carries the name.
func verifyCA(certs []*x509.Certificate, name string) func(tls.ConnectionState) error {
	roots := x509.NewCertPool()
	for _, cert := range certs {
		roots.AddCert(cert)
	}
	return func(cs tls.ConnectionState) error {
		leaf := cs.PeerCertificates[0]
		for _, cert := range certs {
			if bytes.Equal(cert.Raw, leaf.Raw) {
				return nil
			}
		}
		opts := x509.VerifyOptions{Roots: roots, DNSName: name, Intermediates: x509.NewCertPool()}
		for _, cert := range cs.PeerCertificates[1:] {
			opts.Intermediates.AddCert(cert)
		}
		if _, err := leaf.Verify(opts); err != nil {
			return fmt.Errorf("%w: %w; check tls.ca_file and tls.server_name (the server presents %s)",
				ErrTLS, err, Pin(leaf))
		}
		return nil
	}
}

func parseCertificates(content []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for rest := content; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" { // Ganeti's rapi.pem also holds the key
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading a certificate: %w", err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("holds no PEM certificate")
	}
	return certs, nil
}
