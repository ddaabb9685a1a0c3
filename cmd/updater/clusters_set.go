package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/printable"
	"ganeticache/secret"
)

// sealer seals a cluster's settings with a password, which is not needed where a file has it.
func sealer(key *secret.Key, password ganeti.Secret) db.Sealer {
	return func(k db.StoredCluster) (db.StoredCluster, error) { return seal(key, k, password) }
}

// endOldSeals ends the time of seals without settings as soon as none is left.
func endOldSeals(ctx context.Context, store *db.Store) error {
	ended, err := store.OldSealsEnded(ctx)
	if err != nil || ended {
		return err
	}
	kept, _, err := store.StoredClusters(ctx)
	if err != nil || anyOld(kept) {
		return err
	}
	return store.EndOldSeals(ctx)
}

func (a *app) clustersSetCommand() *cobra.Command {
	var n newCluster
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change the settings of a cluster kept in the database, and seal them again",
		Long: `set changes the given settings and leaves the others as they were sealed: a new address, another pin, another user or
password. An empty value (--pin '') removes a setting. It needs the key of secret_key_file, unless the cluster is
queried without a user. A running updater applies the change within seconds.

If SQL has changed a column of clusters, the cluster is no longer queried; set restores the sealed settings, and
without any flag does only that.`,
		Example: `  updater clusters set prod --rapi https://a.example.org:5080,https://b.example.org:5080
  updater clusters set prod --pin 9F86…
  pass show rapi/prod | updater clusters set prod --password-stdin`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n.Name = args[0]
			return a.setCluster(cmd.Context(), n, cmd.Flags(), cmd.InOrStdin())
		},
	}
	n.flags(cmd.Flags())
	return cmd
}

func (a *app) setCluster(ctx context.Context, n newCluster, given *pflag.FlagSet, stdin io.Reader) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	password, err := n.password(c, stdin)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	done := "sealed the settings of"
	err = a.editCluster(ctx, n.Name, func(s *db.Store) error {
		err := s.EditCluster(ctx, n.Name, func(k db.StoredCluster) (db.StoredCluster, error) {
			return n.over(c, k, given, password)
		})
		if err != nil {
			return err
		}
		return endOldSeals(ctx, s)
	}, done)
	if err == nil {
		a.warnOfPassword(c, n, password)
	}
	return err
}

// warnOfPassword says what is odd about a password that was just given, before RAPI refuses it.
func (a *app) warnOfPassword(c *config.Config, n newCluster, password ganeti.Secret) {
	if password == "" && n.PasswordFile != "" {
		password, _ = c.ReadStoredPassword(n.PasswordFile) //nolint:errcheck // it was read a moment ago
	}
	if why := password.Explain(n.PasswordFile, n.Username); why != "" {
		fmt.Fprintf(a.stderr, "updater: warning: cluster %s: %s; it is kept as it is\n", printable.Text(n.Name), why)
	}
}

var errSetOld = errors.New("its settings are not sealed yet; run: updater clusters reseal (or give them all again, with --rapi and " +
	"--password-stdin or --password-file)")

// over puts what was given over what is sealed.
func (n newCluster) over(c *config.Config, k db.StoredCluster, given *pflag.FlagSet, password ganeti.Secret) (db.StoredCluster, error) {
	anew := password != "" || given.Changed("password-file")
	var sealed sealedSettings
	switch {
	case isOld(k) && (!anew || !given.Changed("rapi")):
		return k, errSetOld
	case isOld(k):
		sealed.Username = k.Username
	case k.PasswordSealed != "" || k.SettingsSealed != "":
		key, err := sealingKey(c)
		if err != nil {
			return k, err
		}
		if sealed, err = openSeal(key, k); err != nil {
			return k, err
		}
	default:
		sealed = settingsOf(k)
	}
	sealed.put(&k)
	if anew {
		sealed.Password, k.PasswordFile = password, n.PasswordFile
	}
	for name, set := range map[string]func(){
		"rapi": func() { k.RAPIURL = n.RAPIURL }, "username": func() { k.Username = n.Username }, "pin": func() { k.PinSHA256 = n.PinSHA256 },
		"ca-file": func() { k.CAFile = n.CAFile }, "server-name": func() { k.ServerName = n.ServerName },
		"tls-min-version": func() { k.MinVersion = n.MinVersion }, "schedule": func() { k.Schedule = n.Schedule },
		"allow-duplicate":      func() { k.AllowDuplicate = n.AllowDuplicate },
		"insecure-skip-verify": func() { k.InsecureSkipVerify = n.InsecureSkipVerify },
	} {
		if given.Changed(name) {
			set()
		}
	}
	if k.Username == "" {
		sealed.Password, k.PasswordFile = "", ""
	}
	merged := newCluster{StoredCluster: k}
	if _, err := merged.check(c, sealed.Password); err != nil {
		return k, err
	}
	k.CredentialsHash, k.PasswordSealed, k.SettingsSealed = "", "", ""
	if k.Username == "" {
		return k, nil
	}
	key, err := sealingKey(c)
	if err != nil {
		return k, err
	}
	return seal(key, k, sealed.Password)
}

// describeSettings shows a row's settings to whoever has to vouch for them.
func describeSettings(k db.StoredCluster) string {
	s := fmt.Sprintf("%s\n  address: %s\n  user: %s\n", printable.Text(k.Name), printable.Text(k.RAPIURL), printable.Text(k.Username))
	password := "sealed in the database"
	if k.PasswordFile != "" {
		password = "in the file " + printable.Text(k.PasswordFile)
	}
	s += "  password: " + password + "\n"
	switch {
	case k.PinSHA256 != "":
		s += "  pin: " + printable.Text(k.PinSHA256) + "\n"
	case k.CAFile != "":
		s += "  certificate: signed by an authority in " + printable.Text(k.CAFile) + "\n"
	default:
		s += "  certificate: signed by one of the system's authorities\n"
	}
	if k.ServerName != "" {
		s += "  certificate for: " + printable.Text(k.ServerName) + "\n"
	}
	return s
}
