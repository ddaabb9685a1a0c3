package ganeti

import (
	"crypto/tls"
	"fmt"
)

// minVersion returns MinVersion as crypto/tls wants it.
func (t TLS) minVersion() (uint16, error) {
	switch t.MinVersion {
	case "", "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	case "1.1":
		return tls.VersionTLS11, nil
	case "1.0":
		return tls.VersionTLS10, nil
	default:
		return 0, fmt.Errorf("tls.min_version: %.20q is not one of 1.0, 1.1, 1.2, 1.3", t.MinVersion)
	}
}

// Outdated reports whether MinVersion allows a version of TLS that was
// withdrawn for its weaknesses (RFC 8996).
func (t TLS) Outdated() bool {
	v, err := t.minVersion()
	return err == nil && v < tls.VersionTLS12
}

// cipherSuites returns nil, which means the secure ones, except for a server
// that is allowed to be outdated: those of that age often offer only the key
// exchange by RSA, which has no forward secrecy.
func cipherSuites(oldest uint16) []uint16 {
	if oldest >= tls.VersionTLS12 {
		return nil
	}
	var ids []uint16
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return append(ids,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)
}
