package ganeti

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Address is where a RAPI listens.
type Address struct {
	// Host is a name or an address, lower case, IPv6 without brackets.
	Host string
	Port int
}

// String gives host:port, IPv6 in brackets.
func (a Address) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// Addresses returns what URL names, in its order. The error names the key rapi
// and, if there are several, the address; it never quotes credentials.
func (s Settings) Addresses() ([]Address, error) {
	// Of the whole text and before anything is cut or parsed: what is wrong is
	// quoted, and a password may hold a comma.
	if strings.Contains(s.URL, "@") {
		return nil, errors.New("rapi: must not hold a user or a password; use username and password_file")
	}
	texts := strings.Split(s.URL, ",")
	if len(texts) == 1 {
		a, err := parseAddress(s.URL)
		if err != nil {
			return nil, fmt.Errorf("rapi: %w", err)
		}
		return []Address{a}, nil
	}
	addresses := make([]Address, 0, len(texts))
	for i, text := range texts {
		a, err := parseAddress(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("rapi: address %d of %d: %w", i+1, len(texts), err)
		}
		if slices.Contains(addresses, a) {
			return nil, fmt.Errorf("rapi: names %s twice; list each address once", a)
		}
		addresses = append(addresses, a)
	}
	return addresses, nil
}

// HostPort returns the first of Addresses: the one that is preferred.
func (s Settings) HostPort() (host string, port int, err error) {
	addresses, err := s.Addresses()
	if err != nil {
		return "", 0, err
	}
	return addresses[0].Host, addresses[0].Port, nil
}

func parseAddress(text string) (Address, error) {
	if text == "" {
		return Address{}, errors.New("is empty; write https://HOST:5080")
	}
	u, err := url.Parse(text)
	if err != nil {
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err
		}
		return Address{}, fmt.Errorf("%.80q is not a URL (%w); write https://HOST:5080", text, err)
	}
	if err := checkURL(u, text); err != nil {
		return Address{}, err
	}
	a := Address{Host: strings.ToLower(u.Hostname()), Port: DefaultPort}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return Address{}, fmt.Errorf("%q is not a port (1 to 65535)", p)
		}
		a.Port = int(n)
	}
	return a, nil
}

func checkURL(u *url.URL, text string) error {
	switch {
	case u.Scheme == "http":
		return errors.New("RAPI speaks TLS only; write https:// instead of http://")
	case u.Scheme != "https":
		return fmt.Errorf("%.80q does not start with https://; write https://HOST:5080", text)
	case u.Hostname() == "":
		return fmt.Errorf("%.80q names no host; write https://HOST:5080", text)
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("%.80q must end after the port; RAPI's paths are known", text)
	case strings.HasPrefix(u.Host, "["):
		if _, err := netip.ParseAddr(u.Hostname()); err != nil {
			return fmt.Errorf("%.80q is not an IPv6 address", u.Hostname())
		}
	case strings.ContainsFunc(u.Hostname(), func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("%.80q is not a host name", u.Hostname())
	}
	return nil
}
