package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	neturl "net/url"
	"os"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

const (
	postgresConns = 10
	// A connection is replaced now and then, so that a server that moved behind its name is found again.
	postgresConnLife = 30 * time.Minute
)

func openPostgres(ctx context.Context, rawURL string, maxConns int) (*sqlx.DB, error) {
	url, err := neturl.Parse(rawURL)
	if err != nil {
		// The parser's error quotes the URL, password included.
		return nil, errors.New("the database URL is malformed (special characters in the password must be percent-encoded)")
	}
	connector, err := pq.NewConnector(postgresDefaults(url))
	if err != nil {
		return nil, fmt.Errorf("reading the database URL %s: %w", url.Redacted(), scrub(err, url))
	}
	db := sqlx.NewDb(newDB(connector), "postgres")
	if maxConns <= 0 {
		maxConns = postgresConns
	}
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	db.SetConnMaxLifetime(postgresConnLife)
	if err := db.PingContext(ctx); err != nil {
		err = fmt.Errorf("connecting to %s: %w%s", url.Redacted(), scrub(err, url), postgresHint(err))
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// postgresDefaults adds what the URL leaves open.
func postgresDefaults(url *neturl.URL) string {
	q := url.Query()
	set := func(key, value string) {
		if !q.Has(key) {
			q.Set(key, value)
		}
	}
	switch {
	case os.Getenv("PGSSLMODE") != "" || q.Has("service") || os.Getenv("PGSERVICE") != "":
		// said elsewhere; lib/pq's own default is require
	case isLocal(cmp.Or(url.Hostname(), q.Get("host"), os.Getenv("PGHOST"))) && isLocal(cmp.Or(q.Get("hostaddr"), os.Getenv("PGHOSTADDR"))):
		set("sslmode", "disable")
	default:
		set("sslmode", "verify-full")
	}
	if os.Getenv("PGCONNECT_TIMEOUT") == "" {
		// database/sql opens connections without the query's context; this bounds them.
		set("connect_timeout", "10")
	}
	set("application_name", "ganeti-cache-updater")
	q.Set("timezone", "UTC")
	full := *url
	full.RawQuery = q.Encode()
	return full.String()
}

// isLocal reports whether a connection to host stays on this machine: "" (the default), a socket directory, loopback.
func isLocal(host string) bool {
	if host == "" || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// postgresHint says what to change, where the server's words alone do not.
func postgresHint(err error) string {
	switch {
	case pq.As(err, pqerror.InvalidPassword, pqerror.InvalidAuthorizationSpecification) != nil:
		return " (check the user and the password)"
	case pq.As(err, pqerror.InvalidCatalogName) != nil:
		return " (create the database first)"
	case errors.Is(err, pq.ErrSSLNotSupported):
		return " (enable TLS on the server, or say sslmode=disable in the URL if the network is trusted)"
	}
	return ""
}

// scrub makes sure that no password is in an error's text, whatever the driver puts there.
func scrub(err error, url *neturl.URL) error {
	password, ok := url.User.Password()
	if !ok || password == "" {
		return err
	}
	text := err.Error()
	clean := strings.NewReplacer(password, "xxxxx", neturl.QueryEscape(password), "xxxxx").Replace(text)
	if clean == text {
		return err
	}
	return errors.New(clean)
}
