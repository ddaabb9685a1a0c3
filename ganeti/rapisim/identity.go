package rapisim

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Identity is a server's key and certificate. Like the ones Ganeti makes, the
// certificate is X.509 version 1, self-signed, RSA 2048, for
// CN=ganeti.example.com, without alternative names: no usual verification
// accepts it, so that clients have to pin it.
type Identity struct {
	der []byte
	tls *tls.Config
}

// NewIdentity makes an identity of its own. It takes a tenth of a second or
// more; servers made together can share one.
func NewIdentity() (*Identity, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("generating a server key: %w", err)
	}
	now := time.Now()
	der, err := signV1(key, now.Add(-time.Hour), now.AddDate(5, 0, 0))
	if err != nil {
		return nil, fmt.Errorf("signing a server certificate: %w", err)
	}
	return newIdentity(der, key)
}

// Pin returns the hexadecimal SHA-256 of the certificate, as `openssl x509
// -fingerprint -sha256` prints it, without colons and in lower case.
func (id *Identity) Pin() string {
	sum := sha256.Sum256(id.der)
	return hex.EncodeToString(sum[:])
}

// CertificatePEM returns the certificate in PEM.
func (id *Identity) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.der})
}

// Certificate returns the key and certificate, for a server of one's own.
func (id *Identity) Certificate() tls.Certificate { return id.tls.Certificates[0] }

// The parts of an X.509 version 1 certificate: crypto/x509 writes version 3
// only.
type (
	tbsCertificate struct {
		Serial     *big.Int
		Signature  pkix.AlgorithmIdentifier
		Issuer     pkix.RDNSequence
		Validity   validity
		Subject    pkix.RDNSequence
		SubjectKey publicKeyInfo
	}
	validity      struct{ NotBefore, NotAfter time.Time }
	publicKeyInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	certificate struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
)

func signV1(key *rsa.PrivateKey, from, to time.Time) ([]byte, error) {
	oid := func(last int) pkix.AlgorithmIdentifier {
		return pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, last},
			Parameters: asn1.NullRawValue,
		}
	}
	rsaEncryption, sha256WithRSA := oid(1), oid(11)
	public, err := asn1.Marshal(struct {
		N *big.Int
		E int
	}{key.N, key.E})
	if err != nil {
		return nil, fmt.Errorf("encoding the public key: %w", err)
	}
	name := pkix.Name{CommonName: "ganeti.example.com"}.ToRDNSequence()
	tbs, err := asn1.Marshal(tbsCertificate{
		Serial: big.NewInt(1), Signature: sha256WithRSA, Issuer: name,
		Validity: validity{from.UTC(), to.UTC()}, Subject: name,
		SubjectKey: publicKeyInfo{rsaEncryption, asn1.BitString{Bytes: public, BitLength: 8 * len(public)}},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the certificate: %w", err)
	}
	sum := sha256.Sum256(tbs)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return asn1.Marshal(certificate{
		TBS:       asn1.RawValue{FullBytes: tbs},
		Algorithm: sha256WithRSA,
		Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
}

//go:embed answers/identity.pem
var knownIdentity string

// sharedIdentity reads the identity that comes with the package. Its key
// protects nothing, and is marked as a testing key so that nobody takes it for
// a secret that leaked.
func sharedIdentity() (*Identity, error) {
	block, rest := pem.Decode([]byte(strings.ReplaceAll(knownIdentity, "TESTING KEY", "PRIVATE KEY")))
	public, _ := pem.Decode(rest)
	if block == nil || public == nil {
		return nil, errors.New("reading the shared identity: not PEM")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the shared identity: %w", err)
	}
	return newIdentity(public.Bytes, key)
}

func newIdentity(der []byte, key *rsa.PrivateKey) (*Identity, error) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading a server certificate: %w", err)
	}
	return &Identity{der: der, tls: &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}},
	}}, nil
}
