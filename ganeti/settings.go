package ganeti

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// DefaultPort is where RAPI listens unless told otherwise.
	DefaultPort = 5080
	// DefaultMaxBody bounds one answer: about 80,000 VMs of 3 KB.
	DefaultMaxBody = 256 << 20
)

// Settings say how to reach one cluster's RAPI. The zero values of Timeouts and
// MaxBody mean the defaults. A Settings value is never changed by this package.
type Settings struct {
	// URL is https://host[:port], nothing else; the port defaults to 5080.
	// IPv6 addresses go in brackets. Several addresses of the same cluster,
	// separated by commas, are tried in turn: see [Client].
	URL string
	// Start is the address to ask first: the one that served last, as far as
	// the caller remembers. It concerns a client that is made now, and only if
	// it is among those of URL. It is no part of the credentials hash.
	Start Address
	// Username and Password are sent as HTTP basic authentication. Both may be
	// empty: RAPI without --require-authentication answers GETs of anyone.
	Username string
	Password Secret
	// PasswordSource is where the password came from, such as "the file
	// /etc/rapi.password", for errors. It is no part of the credentials hash.
	PasswordSource string
	// TLS says whom to trust; its zero value means the system's roots.
	TLS TLS
	// Timeouts bound the phases of a request; zero fields mean the defaults.
	Timeouts Timeouts
	// MaxBody is the largest answer accepted, in bytes (default 256 MiB).
	// A larger one is refused with ErrTooLarge.
	MaxBody int64
}

// Validate checks everything that can be checked without a connection or a
// file. Its error names each key that is wrong, one sentence each.
func (s Settings) Validate() error {
	_, urlErr := s.Addresses()
	errs := []error{urlErr, s.TLS.Validate(), s.Timeouts.withDefaults().Validate()}
	if strings.Contains(s.Username, ":") {
		errs = append(errs, errors.New("username: a colon cannot be sent in HTTP basic authentication"))
	}
	if hasControl(s.Username) {
		errs = append(errs, errors.New("username: contains a control character"))
	}
	if hasControl(s.Password.Reveal()) {
		errs = append(errs, errors.New("password: contains a line break or another control character; "+
			"a password file holds one line"+also(s.Password.Explain(s.PasswordSource, s.Username))))
	}
	if s.Username == "" && s.Password != "" {
		errs = append(errs, errors.New("username: is empty although a password is set"))
	}
	if s.MaxBody < 0 {
		errs = append(errs, fmt.Errorf("max_body: must be positive, got %d", s.MaxBody))
	}
	return errors.Join(errs...)
}

// also is a further clause, if there is one.
func also(clause string) string {
	if clause == "" {
		return ""
	}
	return "; " + clause
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
