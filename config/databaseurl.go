package config

import (
	"fmt"
	"io"

	"ganeticache/dburl"
)

// DatabaseURL is the address of a database, which may hold a password. No formatting verb, logger or encoder prints the
// password; only Reveal gives it away.
type DatabaseURL string

// Reveal returns the address with its password, for whoever connects.
func (u DatabaseURL) Reveal() string { return string(u) }

// String returns the address without its password.
func (u DatabaseURL) String() string { return RedactURL(u) }

// GoString is String, for %#v.
func (u DatabaseURL) GoString() string { return u.String() }

// Format prints String whatever the verb; %x would otherwise reach the bytes.
func (u DatabaseURL) Format(f fmt.State, _ rune) {
	// A fmt.State never fails; fmt has nowhere to report an error either.
	_, _ = io.WriteString(f, u.String()) //nolint:errcheck // see above
}

// MarshalText returns String; JSON and YAML encoders use it.
func (u DatabaseURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// RedactURL returns a database's address without its password, for logs and messages.
func RedactURL(address DatabaseURL) string { return dburl.Redact(address.Reveal()) }

// hasPassword reports whether a database's address holds a password, in any of the places lib/pq takes it from.
func hasPassword(address DatabaseURL) bool {
	a, err := dburl.Parse(address.Reveal())
	if err != nil {
		return false
	}
	_, found := a.Password()
	return found
}

// Format prints the configuration without passwords. Without it, a verb that does not fit, such as %s for a pointer inside a
// list, has fmt print what it finds without asking DatabaseURL how.
func (c Config) Format(f fmt.State, verb rune) {
	type plain Config
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(c))
}
