package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ganeticache/test/pgprograms"
)

// postgres is the server at db.example.org. Whoever comes is believed: what the documents say of passwords is about files
// and variables, and libpq reads those whether they are wanted or not.
type postgres struct {
	dir string
	// authority is the certificate, in PEM, that db.example.org is trusted by.
	authority []byte
	cmd       *exec.Cmd
}

func startPostgres(ctx context.Context, dir string) (*postgres, error) {
	bin, err := pgprograms.Dir()
	if err != nil {
		return nil, err
	}
	p := &postgres{dir: dir}
	certificate, key, err := selfSigned("db.example.org")
	if err != nil {
		return nil, err
	}
	p.authority = certificate
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := errors.Join(os.Mkdir(dir, 0o755), pgprograms.DropRoot(attr, dir)); err != nil { //nolint:gosec // its socket is for everybody
		return nil, fmt.Errorf("making the server's folder: %w", err)
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata="+dir+"/data", "--username=postgres", //nolint:gosec // an installed program
		"--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if said, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("making a database cluster: %w\n%s", err, said)
	}
	for name, content := range map[string][]byte{
		"server.crt": certificate, "server.key": key, "pg_hba.conf": []byte("local all all trust\nhostssl all all 127.0.0.0/8 trust\n"),
	} {
		file := filepath.Join(dir, "data", name)
		err := os.WriteFile(file, content, 0o600)
		if attr.Credential != nil {
			err = errors.Join(err, os.Chown(file, int(attr.Credential.Uid), int(attr.Credential.Gid)))
		}
		if err != nil {
			return nil, fmt.Errorf("configuring the server: %w", err)
		}
	}
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(bin, "postgres"), "-D", dir+"/data", "-k", dir, //nolint:gosec // likewise
		"-c", "listen_addresses="+hosts["db.example.org"], "-c", "ssl=on", "-c", "fsync=off", "-c", "log_min_messages=fatal")
	p.cmd.SysProcAttr, p.cmd.Dir = attr, dir
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		if _, err = p.sql(ctx, "SELECT 1"); err == nil {
			return p, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, p.stop())
		case <-poll.C:
		}
	}
}

// sql runs a script as the superuser.
func (p *postgres) sql(ctx context.Context, script string) (string, error) {
	cmd := exec.CommandContext(ctx, "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", p.dir, "-U", "postgres", "-d", "postgres") //nolint:gosec // our own folder
	cmd.Stdin = strings.NewReader(script)
	said, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("running psql: %w\n%s", err, said)
	}
	return string(said), nil
}

// fresh leaves an empty database ganeti that belongs to the role updater, and no role but that and a reader.
func (p *postgres) fresh(ctx context.Context) error {
	drops, err := p.sql(ctx, `
SELECT format('DROP DATABASE %I WITH (FORCE);', datname) FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres';
SELECT format('DROP ROLE %I;', rolname) FROM pg_roles WHERE rolname <> 'postgres' AND rolname NOT LIKE 'pg\_%';`)
	if err != nil {
		return err
	}
	_, err = p.sql(ctx, drops+"CREATE ROLE updater LOGIN;\nCREATE DATABASE ganeti OWNER updater;\nCREATE ROLE reader LOGIN;\n")
	return err
}

func (p *postgres) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return fmt.Errorf("stopping PostgreSQL: %w", err)
	}
	_ = p.cmd.Wait() //nolint:errcheck // it ends as it was told to
	return nil
}
