package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"ganeticache/dburl"
)

const (
	postgresConns = 10
	// A connection is replaced now and then, so that a server that moved behind its name is found again.
	postgresConnLife = 30 * time.Minute
)

func openPostgres(ctx context.Context, rawURL string, o Options) (*pool, error) {
	address, err := dburl.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	dsn, err := postgresDefaults(address.URL)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL %s: %w", address, err)
	}
	connector, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL %s: %w", address, scrub(err, address))
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
		err = fmt.Errorf("connecting to %s: %w", address, explainLogin(advise(ctx, scrub(err, address)), address))
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// scrub makes sure that no secret is in an error's text, whatever the driver puts there.
func scrub(err error, address *dburl.Address) error {
	text := err.Error()
	clean := address.Scrub(text)
	if clean == text {
		return err
	}
	return errors.New(clean)
}
