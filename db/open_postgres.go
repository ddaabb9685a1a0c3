package db

import (
	"context"
	"errors"
	"fmt"
	neturl "net/url"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

const (
	postgresConns = 10
	// A connection is replaced now and then, so that a server that moved behind its name is found again.
	postgresConnLife = 30 * time.Minute
)

func openPostgres(ctx context.Context, rawURL string, o Options) (*pool, error) {
	url, err := parsePostgres(rawURL)
	if err != nil {
		return nil, err
	}
	dsn, err := postgresDefaults(url)
	if err != nil {
		return nil, err
	}
	connector, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL %s: %w", redacted(url), scrub(err, url))
	}
	p := &pool{maxIdle: o.MaxConns, patience: &patience{silence: o.Silence}}
	if p.maxIdle <= 0 {
		p.maxIdle = postgresConns
	}
	if p.patience.silence <= 0 {
		p.patience.silence = defaultSilence
	}
	connector.Dialer(p.patience)
	p.DB = sqlx.NewDb(newDB(connector), "postgres")
	p.SetMaxOpenConns(p.maxIdle)
	p.SetMaxIdleConns(p.maxIdle)
	p.SetConnMaxLifetime(postgresConnLife)
	if err := p.PingContext(ctx); err != nil {
		err = fmt.Errorf("connecting to %s: %w", redacted(url), advise(ctx, scrub(err, url)))
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// secrets are the values in a URL that nobody may see.
func secrets(url *neturl.URL) []string {
	values := []string{url.Query().Get("password"), url.Query().Get("sslpassword")}
	if password, ok := url.User.Password(); ok {
		values = append(values, password)
	}
	var set []string
	for _, v := range values {
		if v != "" {
			set = append(set, v)
		}
	}
	return set
}

// redacted shows a URL without its secrets.
func redacted(url *neturl.URL) string {
	shown := *url
	q := shown.Query()
	for _, key := range []string{"password", "sslpassword"} {
		if q.Has(key) {
			q.Set(key, "xxxxx")
		}
	}
	// A comma needs no escape, and lists of hosts are easier to read without.
	shown.RawQuery = strings.ReplaceAll(q.Encode(), "%2C", ",")
	return shown.Redacted()
}

// scrub makes sure that no secret is in an error's text, whatever the driver puts there.
func scrub(err error, url *neturl.URL) error {
	text := err.Error()
	clean := text
	for _, secret := range secrets(url) {
		clean = strings.NewReplacer(secret, "xxxxx", neturl.QueryEscape(secret), "xxxxx").Replace(clean)
	}
	if clean == text {
		return err
	}
	return errors.New(clean)
}
