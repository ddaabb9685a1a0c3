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

	"ganeticache/db"
	"ganeticache/printable"
	"ganeticache/updater"
)

// approveOptions are the flags of updater clusters approve-removals.
type approveOptions struct {
	later, show, yes bool
	sets             []string
	stdin            io.Reader
}

func (a *app) clustersApproveCommand() *cobra.Command {
	var o approveOptions
	cmd := &cobra.Command{
		Use:   "approve-removals NAME",
		Short: "Make the removals that the guard withholds",
		Long: `approve-removals shows which removals are withheld now, by name and uuid, approves exactly these objects, and
refreshes the cluster. The next complete answer of each kind may then remove the approved objects that it lacks;
anything else that it lacks is withheld as before. If it lacks none of them, nothing is removed. On a terminal the
command asks first.

--show prints the objects and the name of each set, and approves nothing. --set approves only if these sets are still
the ones that are withheld; if others are withheld by now, nothing is approved.

With --later, or if another updater refreshes into the same SQLite file, the next scheduled refresh makes the
removals.`,
		Example: `  updater clusters approve-removals prod
  updater clusters approve-removals prod --show
  updater clusters approve-removals prod --set 5f0c9a1b`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.stdin = cmd.InOrStdin()
			return a.approveRemovals(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.later, "later", false, "approve only, and leave the removals to the next refresh")
	f.BoolVar(&o.show, "show", false, "show what is withheld, and approve nothing")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask on a terminal")
	f.StringArrayVar(&o.sets, "set", nil, "approve only if this `SET`, as --show names it, is still withheld; once for each kind")
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) approveRemovals(ctx context.Context, name string, o approveOptions) error {
	approved, err := a.approve(ctx, name, o)
	if err != nil || len(approved) == 0 || o.later || o.show {
		return err
	}
	err = a.once(ctx, onceOptions{once: true, clusters: []string{name}, json: a.jsonOutput})
	if errors.Is(err, db.ErrRefreshedElsewhere) || errors.Is(err, updater.ErrUnknownCluster) {
		_, err = fmt.Fprintf(a.stderr, "updater: the running updater makes them when it refreshes %s next\n", name)
	}
	return err
}

// approve shows what is withheld and approves that and nothing else. It gives what was approved.
func (a *app) approve(ctx context.Context, name string, o approveOptions) (_ []db.WithheldSet, err error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	store, err := openCache(ctx, c)
	if err != nil {
		return nil, err
	}
	defer closeStore(store, &err)
	shown, err := store.Withheld(ctx, name)
	if err != nil {
		return nil, fail(err)
	}
	if err := checkSets(shown, o.sets); err != nil {
		return nil, fail(err)
	}
	if err := a.printWithheld(name, shown); err != nil || len(shown) == 0 || o.show {
		return nil, err
	}
	for _, set := range shown {
		if len(set.Objects) != set.Count {
			return nil, fail(fmt.Errorf("which %d %ss are withheld is not on record yet; refresh the cluster first: updater clusters refresh %s",
				set.Count, set.Kind, name))
		}
	}
	if a.isTerminal(a.stdout) && !o.yes && !a.jsonOutput {
		if err := a.printf("remove them? [y/N] "); err != nil {
			return nil, err
		}
		// Nothing at all is no.
		line, _ := bufio.NewReader(o.stdin).ReadString('\n') //nolint:errcheck // see above
		if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
			return nil, a.printf("nothing was approved\n")
		}
	}
	approved, err := store.ApproveShown(ctx, name, shown)
	if err != nil {
		return nil, fail(err)
	}
	for _, set := range approved {
		if a.jsonOutput {
			break
		}
		if err := a.printf("%s: the next refresh removes at most %s\n", name, english.Plural(set.Count, string(set.Kind), "")); err != nil {
			return nil, err
		}
	}
	return approved, nil
}

// checkSets makes sure that what is withheld is what somebody has looked at.
func checkSets(shown []db.WithheldSet, sets []string) error {
	if len(sets) == 0 {
		return nil
	}
	for _, set := range shown {
		if !slices.ContainsFunc(sets, func(s string) bool { return len(s) >= 8 && strings.HasPrefix(set.Digest, s) }) {
			return fmt.Errorf("%w: %s are withheld as set %.12s, which was not named", db.ErrWithheldChanged,
				english.Plural(set.Count, string(set.Kind), ""), set.Digest)
		}
	}
	for _, s := range sets {
		if !slices.ContainsFunc(shown, func(set db.WithheldSet) bool { return len(s) >= 8 && strings.HasPrefix(set.Digest, s) }) {
			return fmt.Errorf("%w: set %.40s is not withheld", db.ErrWithheldChanged, printable.Text(s))
		}
	}
	return nil
}

// printWithheld says what may be removed: for programs as one JSON document, before that of the refresh.
func (a *app) printWithheld(name string, sets []db.WithheldSet) error {
	if a.jsonOutput {
		return a.printJSON(sets)
	}
	if len(sets) == 0 {
		return a.printf("%s: no removal is withheld\n", name)
	}
	for _, set := range sets {
		if err := a.printf("%s: %s (set %.12s):\n", name, english.Plural(set.Count, string(set.Kind), ""), set.Digest); err != nil {
			return err
		}
		for _, object := range set.Objects {
			if err := a.printf("  %s  %s\n", printable.Text(object.UUID), printable.Text(object.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}
