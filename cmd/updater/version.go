package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
)

// version and commit are set by the linker; see the Makefile.
//
//nolint:gochecknoglobals // the linker can set nothing else
var (
	version = "devel"
	commit  = "unknown"
)

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  updater version --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.jsonOutput {
				return a.printJSON(map[string]string{"version": version, "commit": commit, "go": runtime.Version()})
			}
			return a.printf("updater %s (commit %s, %s)\n", version, commit, runtime.Version())
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

// jsonFlag gives a command that prints data the flag for programs.
func (a *app) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.jsonOutput, "json", false, "print JSON, for programs")
}

// printJSON prints one indented document.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fail(fmt.Errorf("printing JSON: %w", err))
	}
	return nil
}

// printf prints to standard output. Who reads it may have left, which ends the command.
func (a *app) printf(format string, args ...any) error {
	if _, err := fmt.Fprintf(a.stdout, format, args...); err != nil {
		return fail(fmt.Errorf("printing: %w", err))
	}
	return nil
}

// buildInfo is the usual metric that carries the version as a label.
func buildInfo() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ganeti_updater_build_info", Help: "Always 1; the labels say which version runs.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}
