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
	p, err := connectPostgres(ctx, address, o)
	if kind := TroubleOf(err); !o.ReadOnly || !isChoosy(address.URL) || kind != TroubleReadOnly && kind != TroubleUnavailable {
		return p, err
	}
	// Whoever only reads is better served by a standby than by nobody.
	lenient := *address
	lenient.URL = withTarget(address.URL, anyServer)
	p, anyErr := connectPostgres(ctx, &lenient, o)
	if anyErr != nil {
		return nil, err
	}
	return p, nil
}

// connectPostgres opens a pool whose first connection stands.
func connectPostgres(ctx context.Context, address *dburl.Address, o Options) (*pool, error) {
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
