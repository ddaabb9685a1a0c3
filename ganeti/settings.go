package ganeti

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
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
	// IPv6 addresses go in brackets.
	URL string
	// Username and Password are sent as HTTP basic authentication. Both may be
	// empty: RAPI without --require-authentication answers GETs of anyone.
	Username string
	Password Secret
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
	_, _, urlErr := s.HostPort()
	errs := []error{urlErr, s.TLS.Validate(), s.Timeouts.withDefaults().Validate()}
	if strings.Contains(s.Username, ":") {
		errs = append(errs, errors.New("username: a colon cannot be sent in HTTP basic authentication"))
	}
	if hasControl(s.Username) {
		errs = append(errs, errors.New("username: contains a control character"))
	}
	if hasControl(s.Password.Reveal()) {
		errs = append(errs, errors.New("password: contains a line break or another control character; "+
			"a password file holds one line"))
	}
	if s.Username == "" && s.Password != "" {
		errs = append(errs, errors.New("username: is empty although a password is set"))
	}
	if s.MaxBody < 0 {
		errs = append(errs, fmt.Errorf("max_body: must be positive, got %d", s.MaxBody))
	}
	return errors.Join(errs...)
}

// HostPort returns the host (lower case, IPv6 without brackets) and the port
// that URL names. The error names the key rapi and never quotes credentials.
func (s Settings) HostPort() (host string, port int, err error) {
	if s.URL == "" {
		return "", 0, errors.New("rapi: is empty; write https://HOST:5080")
	}
	// Before parsing: a parse error would quote the text, password and all.
	if strings.Contains(s.URL, "@") {
		return "", 0, errors.New("rapi: must not hold a user or a password; use username and password_file")
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err
		}
		return "", 0, fmt.Errorf("rapi: %.80q is not a URL (%w); write https://HOST:5080", s.URL, err)
	}
	if err := checkURL(u, s.URL); err != nil {
		return "", 0, err
	}
	port = DefaultPort
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return "", 0, fmt.Errorf("rapi: %q is not a port (1 to 65535)", p)
		}
		port = int(n)
	}
	return strings.ToLower(u.Hostname()), port, nil
}

func checkURL(u *url.URL, text string) error {
	switch {
	case u.Scheme == "http":
		return errors.New("rapi: RAPI speaks TLS only; write https:// instead of http://")
	case u.Scheme != "https":
		return fmt.Errorf("rapi: %.80q does not start with https://; write https://HOST:5080", text)
	case u.Hostname() == "":
		return fmt.Errorf("rapi: %.80q names no host; write https://HOST:5080", text)
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("rapi: %.80q must end after the port; RAPI's paths are known", text)
	case strings.HasPrefix(u.Host, "["):
		if _, err := netip.ParseAddr(u.Hostname()); err != nil {
			return fmt.Errorf("rapi: %.80q is not an IPv6 address", u.Hostname())
		}
	case strings.ContainsFunc(u.Hostname(), func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("rapi: %.80q is not a host name", u.Hostname())
	}
	return nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
