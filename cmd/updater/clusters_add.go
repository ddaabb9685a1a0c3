package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/secret"
)

// newCluster is what clusters add was told.
type newCluster struct {
	db.StoredCluster
	passwordStdin, seal, disabled bool
}

func (a *app) clustersAddCommand() *cobra.Command {
	var n newCluster
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Keep a cluster in the database",
		Long: `add keeps a cluster in the database; a running updater refreshes it within seconds. With --password-file alone it
keeps the name of the file, which must lie below password_dir and be readable for every updater. With --seal it keeps
the content of the file in the database itself, and with --password-stdin the password read from standard input. A
password is never given as an argument, because every user of the machine could read it there.

The password or the name of its file is sealed under the key of secret_key_file, together with the address, the user,
and how the certificate is checked: changing one of them in the database reveals no password. To change them use
updater clusters set.`,
		Example: `  updater clusters add prod --rapi https://rapi.example.org:5080 --username gwm --password-file /etc/rapi.password --pin 9F86…
  pass show rapi/prod | updater clusters add prod --rapi https://rapi.example.org:5080 --username gwm --password-stdin --pin 9F86…`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n.Name, n.Enabled = args[0], !n.disabled
			return a.addCluster(cmd.Context(), n, cmd.InOrStdin())
		},
	}
	n.flags(cmd.Flags())
	cmd.Flags().BoolVar(&n.disabled, "disabled", false, "keep it, but do not refresh it yet")
	return cmd
}

func (n *newCluster) flags(f *pflag.FlagSet) {
	f.StringVar(&n.RAPIURL, "rapi", "", "the `URL` of the cluster's RAPI, https://HOST[:PORT], or several separated by commas")
	f.StringVar(&n.Username, "username", "", "the RAPI `USER`")
	f.StringVar(&n.PasswordFile, "password-file", "", "the `FILE` with its password, below password_dir")
	f.BoolVar(&n.seal, "seal", false, "with --password-file: keep the password itself, sealed, instead of the file's name")
	f.BoolVar(&n.passwordStdin, "password-stdin", false, "read the password from standard input and keep it, sealed")
	f.StringVar(&n.PinSHA256, "pin", "", "the `PIN` of RAPI's certificate, as 'updater trust HOST:PORT' prints it")
	f.StringVar(&n.CAFile, "ca-file", "", "the PEM `FILE` with its certificate or the authority that signed it")
	f.StringVar(&n.ServerName, "server-name", "", "the `NAME` for which the certificate must be valid, if not the host of --rapi")
	f.StringVar(&n.MinVersion, "tls-min-version", "", "the oldest `VERSION` of TLS that is accepted: 1.0, 1.1, 1.2 (the default) or 1.3")
	f.BoolVar(&n.InsecureSkipVerify, "insecure-skip-verify", false, "refused: only the configuration file may set this")
	f.BoolVar(&n.AllowDuplicate, "allow-duplicate", false, "refresh it although a cluster with the same uuid is cached under another name")
	f.StringVar(&n.Schedule, "schedule", "", "`SCHEDULE` of its VMs and nodes instead of the configuration's, such as \"@every 5m\"")
}

func (a *app) addCluster(ctx context.Context, n newCluster, stdin io.Reader) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	if listed(c, n.Name) {
		return &exitError{exitUsage, fmt.Errorf("cluster %q: %w", n.Name, db.ErrClusterConfigured)}
	}
	password, err := n.password(c, stdin)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	cluster, err := n.check(c, password)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	store, err := a.openStore(ctx, c)
	if err != nil {
		return err
	}
	defer closeStore(store, &err)
	var seal db.Sealer
	if hasSecret(n.StoredCluster) || password != "" {
		key, err := sealingKey(c)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		seal = sealer(key, password)
	}
	if err := store.AddCluster(ctx, n.StoredCluster, seal); err != nil {
		return fail(err)
	}
	if err := endOldSeals(ctx, store); err != nil {
		return fail(err)
	}
	a.warn(&config.Config{Clusters: []config.Cluster{cluster}, Timeouts: cluster.Timeouts, MaxAge: c.MaxAge, Retention: c.Retention})
	return a.printf("added %s; a running updater refreshes it within seconds, `updater clusters refresh %s` at once\n", n.Name, n.Name)
}

// password reads the password that is to be sealed, if any, and seals it. Otherwise the file's name becomes one that does
// not depend on where the updater runs.
func (n *newCluster) password(c *config.Config, stdin io.Reader) (ganeti.Secret, error) {
	switch {
	case n.passwordStdin && (n.PasswordFile != "" || n.seal):
		return "", errors.New("--password-stdin cannot be combined with --password-file or --seal")
	case n.seal && n.PasswordFile == "":
		return "", errors.New("--seal needs --password-file")
	}
	var err error
	for _, name := range []*string{&n.PasswordFile, &n.CAFile} {
		if *name == "" {
			continue
		}
		if *name, err = filepath.Abs(*name); err != nil {
			return "", fmt.Errorf("finding %s: %w", *name, err)
		}
	}
	if n.passwordStdin || n.PasswordFile != "" {
		// Without a key nothing can be sealed: that is said before a password is asked for.
		if _, err := sealingKey(c); err != nil {
			return "", err
		}
	}
	if !n.passwordStdin && !n.seal {
		return "", nil
	}
	if n.seal {
		file, err := os.Open(n.PasswordFile)
		if err != nil {
			return "", fmt.Errorf("--password-file: %w", err)
		}
		defer file.Close()
		stdin, n.PasswordFile = file, ""
	}
	return config.ReadPassword(stdin)
}

// check makes the cluster as a refresh would, the password file read, so that what is wrong is said now.
func (n *newCluster) check(c *config.Config, password ganeti.Secret) (config.Cluster, error) {
	k := n.StoredCluster
	s := config.Stored{
		Name: k.Name, RAPI: k.RAPIURL, Username: k.Username, PasswordFile: k.PasswordFile, Schedule: k.Schedule, TLS: tlsOf(k),
	}
	switch {
	case k.PasswordFile != "":
		s.Password = func() (ganeti.Secret, error) { return c.ReadStoredPassword(k.PasswordFile) }
	case password != "":
		s.Password = func() (ganeti.Secret, error) { return password, nil }
	}
	cluster, err := c.Adopt(s)
	if err == nil {
		_, err = cluster.Settings()
	}
	if err == nil && n.CAFile != "" {
		_, err = os.Stat(n.CAFile)
	}
	return cluster, err
}

func (a *app) clustersRekeyCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "rekey --new-key-file FILE",
		Short: "Seal the passwords in the database under a new key",
		Long: `rekey opens every sealed password with the key of secret_key_file and seals it under the new key, all in one
transaction. If it is interrupted, nothing has changed; if it is run again, it skips passwords that are already sealed
under the new key. Afterwards replace the old key with the new one; until then refreshes of these clusters fail and
say so. The hashes of credentials follow the new key automatically.`,
		Example: `  openssl rand -hex 32 > new.key
  updater clusters rekey --new-key-file new.key && mv new.key /etc/ganeti-cache-updater/secret.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.rekey(cmd.Context(), file) },
	}
	cmd.Flags().StringVar(&file, "new-key-file", "", "the `FILE` with the new key, made like the old one")
	return cmd
}

func (a *app) rekey(ctx context.Context, file string) (err error) {
	if file == "" {
		return errors.New("rekey needs --new-key-file")
	}
	c, err := a.config()
	if err != nil {
		return err
	}
	before, err := sealingKey(c)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	raw, err := config.ReadSecretKey(file)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("--new-key-file: %w", err)}
	}
	after, err := secret.NewKey(raw)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("--new-key-file: %w", err)}
	}
	store, err := openCache(ctx, c)
	if err != nil {
		return err
	}
	defer closeStore(store, &err)
	n, err := store.RekeyClusters(ctx, reseal(c, before, after))
	if err != nil {
		return fail(err)
	}
	return a.printf("%s sealed under %s; now replace %s with %s\n", english.Plural(n, "password is", "passwords are"), after,
		c.SecretKeyFile, file)
}
