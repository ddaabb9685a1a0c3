package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/printable"
)

func (a *app) clustersResealCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "reseal",
		Short: "Seal the settings of clusters that an earlier version kept in the database",
		Long: `reseal is needed once, after the upgrade from a version that sealed only passwords. It shows the address and the
certificate of each cluster that is kept in the database with a password, asks, and seals them together with the
password. Check that they are right: the password will be sent there. Afterwards seals of the old format are no longer
accepted.

Until then such a cluster is refreshed only with exactly the settings of its last refresh, and each start says that it
must be sealed. --yes does not ask; it refuses clusters that were changed since the last refresh or were never
refreshed.`,
		Example: "  updater clusters reseal",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.reseal(cmd.Context(), yes, cmd.InOrStdin()) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask; seal settings that are unchanged since the last refresh, and refuse the rest")
	return cmd
}

func (a *app) reseal(ctx context.Context, yes bool, answers io.Reader) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	if _, err := sealingKey(c); err != nil {
		return &exitError{exitUsage, err}
	}
	store, err := a.openStore(ctx, c)
	if err != nil {
		return err
	}
	defer closeStore(store, &err)
	kept, _, err := store.StoredClusters(ctx)
	if err != nil {
		return fail(err)
	}
	kept = slices.DeleteFunc(kept, func(k db.StoredCluster) bool { return !isOld(k) })
	lines := bufio.NewReader(io.LimitReader(answers, 64<<10))
	var refused []error
	for _, k := range kept {
		if err := a.resealOne(ctx, c, store, k, yes, lines); err != nil {
			refused = append(refused, fmt.Errorf("cluster %s: %w", printable.Text(k.Name), err))
		}
	}
	if len(refused) > 0 {
		return fail(fmt.Errorf("%s not sealed: %w", english.Plural(len(refused), "cluster is", "clusters are"), errors.Join(refused...)))
	}
	if err := endOldSeals(ctx, store); err != nil {
		return fail(err)
	}
	return a.printf("%s sealed; seals of earlier versions are no longer accepted\n", english.Plural(len(kept), "cluster was", "clusters were"))
}

var errNotVouched = errors.New("address and certificate were not confirmed; nothing was sealed")

// resealOne shows one row and seals it, if it is right.
func (a *app) resealOne(ctx context.Context, c *config.Config, store *db.Store, k db.StoredCluster, yes bool, answers *bufio.Reader) error {
	password, err := oldPassword(c, k)
	if err != nil {
		return err
	}
	if k.InsecureSkipVerify {
		return errors.New("its certificate is not checked (tls_insecure); give all settings again, with a pin: updater clusters set " + k.Name)
	}
	confirmed, err := isConfirmed(c, k, password)
	if err != nil {
		return err
	}
	known := "These are the settings of its last refresh."
	if !confirmed {
		known = "ATTENTION: it has never been refreshed with these settings. Somebody may have changed them."
	}
	if err := a.printf("%s  %s\n", describeSettings(k), known); err != nil {
		return err
	}
	if yes && !confirmed {
		return errUnconfirmedYes
	}
	if !yes {
		if err := a.printf("Should the password be sent there, and nowhere else? Type yes: "); err != nil {
			return err
		}
		line, err := answers.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading the answer: %w", err)
		}
		if strings.TrimSpace(line) != "yes" {
			return errNotVouched
		}
	}
	return store.EditCluster(ctx, k.Name, asShown(c, k, password))
}

var errUnconfirmedYes = errors.New("it has never been refreshed with these settings, so --yes is not enough; run reseal without it, or give " +
	"the settings again with `updater clusters set`")

// asShown seals the row as it was shown, and not as somebody has made it since.
func asShown(c *config.Config, shown db.StoredCluster, password ganeti.Secret) db.Sealer {
	return func(k db.StoredCluster) (db.StoredCluster, error) {
		if settingsOf(k) != settingsOf(shown) || k.PasswordSealed != shown.PasswordSealed || k.ID != shown.ID {
			return k, errors.New("its settings changed in the meantime; run reseal again")
		}
		key, err := sealingKey(c)
		if err != nil {
			return k, err
		}
		return seal(key, k, password)
	}
}
