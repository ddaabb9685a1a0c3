// Package dburl reads addresses of databases, strictly, and prints them without what is secret in them.
//
// An address of PostgreSQL is refused unless it falls into user, host, database and parameters beyond doubt: where a
// character that should have been percent-encoded cuts a password in two, nobody can say which half another program
// would print. What is printed is put together from parts that are known to be harmless; nothing is printed because it
// was not recognised as a secret. No error holds any part of an address.
package dburl

import (
	"errors"
	"net"
	neturl "net/url"
	"strconv"
	"strings"
	"unicode"
)

// Hidden stands for what is not shown, Unreadable for an address of which nothing can be shown.
const (
	Hidden     = "xxxxx"
	Unreadable = "[unreadable address]"
)

// Errors of addresses. They hold nothing of the address.
var (
	// ErrScheme means that the address begins like none that is known.
	ErrScheme = errors.New("the database URL must begin with sqlite:, postgres:// or postgresql://")
	// ErrMalformed means that the address does not fall into its parts.
	ErrMalformed = errors.New("the database URL is malformed (special characters in the password must be percent-encoded: " +
		"@ as %40, / as %2F, : as %3A, ? as %3F, # as %23)")
	errParameter = errors.New("the database URL has a parameter that looks like a password and is none that PostgreSQL knows; " +
		"write postgres://USER:PASSWORD@HOST/DATABASE, or leave the password to ~/.pgpass or PGPASSWORD")
	errSQLite = errors.New("the database URL sqlite: is followed by the address of a server; it takes the path of a file")
)

// Address is an address of PostgreSQL in its parts.
type Address struct {
	// URL is the address as the driver takes it; several hosts stand in its parameters.
	URL *neturl.URL

	scheme, authority, path, rawPassword string
	hasUser                              bool
	parameters                           []parameter
}

// parameter is one as it was written, and what it means.
type parameter struct{ key, raw, value string }

// Check says what is wrong with an address of either kind.
func Check(raw string) error {
	if path, found := strings.CutPrefix(raw, "sqlite:"); found {
		return checkSQLite(path)
	}
	_, err := Parse(raw)
	return err
}

// checkSQLite refuses what was meant to be another address. Any other path is one.
func checkSQLite(path string) error {
	server := strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///")
	if strings.Contains(path, "://") || server && strings.Contains(path, "@") {
		return errSQLite
	}
	return nil
}

// Parse reads postgres://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]…]/DATABASE?….
func Parse(raw string) (*Address, error) {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found || scheme != "postgres" && scheme != "postgresql" {
		return nil, ErrScheme
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }) || strings.ContainsAny(raw, `#\`) {
		return nil, ErrMalformed
	}
	a := &Address{scheme: scheme, authority: rest}
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		a.authority, rest = rest[:i], rest[i:]
	} else {
		rest = ""
	}
	path, query, _ := strings.Cut(rest, "?")
	a.path = path
	// A second @, or one elsewhere, is part of a password that was cut in two.
	if strings.Contains(rest, "@") || strings.Count(a.authority, "@") > 1 {
		return nil, ErrMalformed
	}
	if err := a.readParameters(query); err != nil {
		return nil, err
	}
	if err := a.read(query); err != nil {
		return nil, err
	}
	return a, nil
}

// read makes the URL of the driver and looks at user, hosts and database.
func (a *Address) read(query string) (err error) {
	userinfo, list, hasUser := strings.Cut(a.authority, "@")
	if !hasUser {
		userinfo, list = "", a.authority
	}
	a.hasUser, a.authority = hasUser, list
	_, a.rawPassword, _ = strings.Cut(userinfo, ":")
	hosts, ports, err := splitHosts(list)
	if err != nil {
		return err
	}
	if a.URL, err = neturl.Parse(a.scheme + "://" + userinfo + strings.Repeat("@", btoi(hasUser)) + a.oneHost(hosts) + a.path); err != nil {
		return ErrMalformed
	}
	a.URL.RawQuery = query
	if len(hosts) > 1 {
		q := a.URL.Query()
		q.Set("host", strings.Join(hosts, ","))
		if ports != nil {
			q.Set("port", strings.Join(ports, ","))
		}
		a.URL.RawQuery = q.Encode()
	}
	database := strings.TrimPrefix(a.URL.Path, "/")
	if hasUser && !name(a.URL.User.Username()) || database != "" && !name(database) {
		return ErrMalformed
	}
	return nil
}

func (a *Address) oneHost(hosts []string) string {
	if len(hosts) > 1 {
		return ""
	}
	return a.authority
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// name says whether a text is the name of a role or a database beyond doubt: servers repeat both in their errors.
func name(text string) bool {
	return text != "" && len(text) <= 128 && !strings.ContainsFunc(text, odd("_.@$+~- "))
}

// odd recognises what is neither a letter or digit nor one of the others.
func odd(others string) func(rune) bool {
	return func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune(others, r)
	}
}

// splitHosts cuts HOST[:PORT],…; ports is nil when none is given.
func splitHosts(list string) (hosts, ports []string, err error) {
	if list == "" {
		return nil, nil, nil
	}
	given := false
	for part := range strings.SplitSeq(list, ",") {
		u, err := neturl.Parse("//" + part)
		if err != nil || u.Host != part || part == "" || strings.HasSuffix(part, ":") || !host(u.Hostname(), part) {
			return nil, nil, ErrMalformed
		}
		port := "5432"
		if u.Port() != "" {
			if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
				return nil, nil, ErrMalformed
			}
			port, given = u.Port(), true
		}
		hosts, ports = append(hosts, u.Hostname()), append(ports, port)
	}
	if !given {
		ports = nil
	}
	return hosts, ports, nil
}

func host(name, part string) bool {
	if strings.HasPrefix(part, "[") {
		address, _, _ := strings.Cut(name, "%")
		return net.ParseIP(address) != nil
	}
	return name != "" && !strings.ContainsFunc(name, odd("_.-"))
}

// Password returns the password and whether there is one, wherever the driver takes it from.
func (a *Address) Password() (string, bool) {
	if p, _ := a.URL.User.Password(); p != "" {
		return p, true
	}
	for _, p := range a.parameters {
		if secret(p.key) && p.value != "" {
			return p.value, true
		}
	}
	return "", false
}
