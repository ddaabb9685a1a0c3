package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the database of the trial's Debian, without the code on trial
)

// mine is a line that the operator wrote into a configuration file.
const mine = "# an edit that must survive\n"

// upgrade replaces the package under an edited configuration and a database whose schema is a version old.
func (t *trial) upgrade(ctx context.Context) (err error) {
	if err := t.halt(); err != nil {
		return err
	}
	if err := errors.Join(t.edit(configFile), t.ageSchema(ctx)); err != nil {
		return err
	}
	if err := t.says(ctx, "runuser -u ganeti-cache-updater -- ganeti-cache-updater status 2>&1 || true", "schema"); err != nil {
		return err
	}
	if t.second, err = build(ctx, ".", newVersion); err != nil {
		return err
	}
	if err := t.debian.bring(t.second); err != nil {
		return err
	}
	if _, err := t.debian.sh(ctx, "cd /root && apt-get -qq install ./ganeti-cache-updater_"+newVersion+"_*.deb"); err != nil {
		return err
	}
	if err := t.says(ctx, "dpkg-query -W ganeti-cache-updater; tail -1 "+configFile, newVersion, mine); err != nil {
		return err
	}
	if t.service, err = t.debian.start(ctx); err != nil {
		return err
	}
	return errors.Join(t.filled(ctx), t.halt())
}

// edit adds the operator's line to a configuration file.
func (t *trial) edit(name string) error {
	f, err := os.OpenFile(t.debian.path(name), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("editing %s: %w", name, err)
	}
	_, err = f.WriteString(mine)
	return errors.Join(err, f.Close())
}

// ageSchema puts a database in the place of the service's that a version with one migration less would have left.
func (t *trial) ageSchema(ctx context.Context) (err error) {
	file := t.debian.path(database)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(file + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the database: %w", err)
		}
	}
	if err := migrateToLastButOne(ctx, file); err != nil {
		return fmt.Errorf("making a database with an old schema: %w", err)
	}
	_, err = t.debian.sh(ctx, "chown ganeti-cache-updater: "+database+"* && chmod 0600 "+database)
	return err
}

func migrateToLastButOne(ctx context.Context, file string) (err error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// The table of versions has the name that package db gives it.
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("db/migrations/sqlite"), goose.WithTableName("ganeti_cache_schema"))
	if err != nil {
		return err
	}
	sources := p.ListSources()
	_, err = p.UpTo(ctx, sources[len(sources)-2].Version)
	return err
}

func (t *trial) crash(ctx context.Context) error {
	s, err := t.debian.start(ctx)
	if err != nil {
		return err
	}
	return s.abort()
}

func (t *trial) remove(ctx context.Context) error {
	if _, err := t.debian.sh(ctx, "apt-get -qq remove ganeti-cache-updater"); err != nil {
		return err
	}
	return errors.Join(t.debian.gone(binary, serviceUnit), t.debian.there(configFile, database), t.says(ctx, "tail -1 "+configFile, mine))
}

func (t *trial) again(ctx context.Context) (err error) {
	if _, err := t.debian.sh(ctx, "cd /root && apt-get -qq install ./ganeti-cache-updater_"+newVersion+"_*.deb"); err != nil {
		return err
	}
	if err := t.says(ctx, "tail -1 "+configFile, mine); err != nil {
		return err
	}
	if t.service, err = t.debian.start(ctx); err != nil {
		return err
	}
	return errors.Join(t.filled(ctx), t.halt())
}

func (t *trial) purge(ctx context.Context) error {
	if _, err := t.debian.sh(ctx, "apt-get -qq purge ganeti-cache-updater"); err != nil {
		return err
	}
	return errors.Join(t.debian.gone(binary, configFile, "/etc/default/ganeti-cache-updater"), t.debian.there(database))
}

// purgeAgreed installs once more and purges after the operator has said yes, ahead of the question.
func (t *trial) purgeAgreed(ctx context.Context) error {
	const yes = "echo 'ganeti-cache-updater ganeti-cache-updater/purge-data boolean true' | debconf-set-selections"
	said, err := t.debian.sh(ctx, "cd /root && apt-get -qq install ./ganeti-cache-updater_"+newVersion+"_*.deb && "+yes+" && apt-get -qq purge ganeti-cache-updater && rm *.deb")
	if err != nil {
		return err
	}
	if err := t.debian.gone(stateDir, binary, configFile); err != nil {
		return fmt.Errorf("%w; apt-get said:\n%s", err, said)
	}
	// The password is the operator's own file.
	left, err := t.debian.sh(ctx, "find / -xdev -path /proc -prune -o -path '*ganeti-cache-updater*' -type f -print")
	if err != nil {
		return err
	}
	if left != "/etc/ganeti-cache-updater/prod.password\n" {
		return fmt.Errorf("left after the purge:\n%s", left)
	}
	return nil
}
