package main

import (
	"github.com/spf13/cobra"

	"ganeticache/db"
)

// forgetCommand is updater changes forget.
func (a *app) forgetCommand() *cobra.Command {
	var f db.Forgotten
	var kind string
	cmd := &cobra.Command{
		Use:   "forget UUID",
		Short: "Erase an object's entries for good",
		Long: `forget deletes all entries of the object with this uuid from the log of changes, whether or not the object still
exists. Its row stays. Programs that follow the log miss nothing else.`,
		Example: `  updater changes forget 9b6d0c46-5c5c-4a3c-9d3c-6f0b5a2f0d11
  updater changes forget 4711 --kind job --cluster prod`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			f.UUID, f.Kind = args[0], db.Kind(kind)
			c, err := a.config()
			if err != nil {
				return err
			}
			store, err := a.openStore(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer closeStore(store, &err)
			n, err := store.ForgetChanges(cmd.Context(), f)
			if err != nil {
				return fail(err)
			}
			if a.jsonOutput {
				return a.printJSON(map[string]int64{"entries": n})
			}
			return a.printf("%d entries erased\n", n)
		},
	}
	cmd.Flags().StringVar(&f.Cluster, "cluster", "", "only those of cluster `NAME`")
	cmd.Flags().StringVar(&kind, "kind", "", "only those of `KIND`: cluster, vm, node, group, network or job")
	a.jsonFlag(cmd)
	return cmd
}
