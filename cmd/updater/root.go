package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"ganeticache/config"
	"ganeticache/dburl"
	"ganeticache/printable"
)

// Exit codes are a contract with scripts, cron and Kubernetes; see README.md.
const (
	exitOK      = 0
	exitFailed  = 1 // none refreshed, or no database
	exitUsage   = 2 // bad configuration or usage
	exitPartial = 3 // some clusters failed
)

// exitError is an error with the exit code it asks for.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// fail wraps an error of work that was tried.
func fail(err error) error { return &exitError{exitFailed, err} }

// errReported ends a command whose output has already said what is wrong.
var errReported = errors.New("see above")

// app is what every command shares: the streams, the environment and the values of the global flags.
type app struct {
	stdout, stderr io.Writer
	env            []string
	configFile     string
	flags          map[string]string // configuration flags given, by name
	jsonOutput     bool
}

// Execute runs the command line and returns its exit code. Errors go to stderr, one sentence each.
func Execute(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	// Whatever is printed, none of it steers the terminal or hides there: names and messages are other people's.
	stdout, stderr = printable.NewWriter(stdout), printable.NewWriter(stderr)
	a := &app{stdout: stdout, stderr: stderr, env: env, flags: map[string]string{}}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if !errors.Is(err, errReported) {
		// Whoever writes an address where none belongs finds it in the words of another library.
		fmt.Fprintf(stderr, "updater: %s\n", dburl.ScrubText(err.Error(), slices.Concat(args, env)))
	}
	return exitCodeOf(err)
}

// exitCodeOf gives the exit code that an error asks for.
func exitCodeOf(err error) int {
	if err == nil {
		return exitOK
	}
	if exit, ok := errors.AsType[*exitError](err); ok {
		return exit.code
	}
	// What is left are cobra's complaints about the command line, and the configuration's about itself.
	return exitUsage
}

func (a *app) rootCommand() *cobra.Command {
	var once onceOptions
	root := &cobra.Command{
		Use:   "updater",
		Short: "Keep a searchable copy of Ganeti clusters in an SQL database",
		Long: `updater keeps the clusters, VMs, nodes, node groups and networks of Ganeti in an SQL database, so that web managers,
portals and dashboards read rows instead of waiting for Ganeti's remote API (RAPI).

Without a subcommand it runs until it is told to stop. With --once it refreshes every cluster and exits with 0 if
every cluster was refreshed, 3 if some failed, 1 if none was refreshed or there is no database, and 2 on bad
configuration or usage.`,
		Example: `  updater demo                                   # three simulated clusters, nothing to install
  updater --config /etc/ganeti-cache-updater/config.yaml
  updater --once --dry-run                       # what would change?
  updater --once --database sqlite:cache.db --rapi https://rapi.example.org:5080 \
          --rapi-username gwm --rapi-password-file pw --rapi-pin-sha256 9F86…`,
		Args:              cobra.NoArgs,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.collectFlags(cmd) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			asked, err := once.set()
			if err != nil {
				return err
			}
			if asked {
				once.stdin = cmd.InOrStdin()
				return a.once(cmd.Context(), once)
			}
			return a.run(cmd.Context())
		},
	}
	a.globalFlags(root.PersistentFlags())
	once.flags(root.Flags())
	root.AddCommand(a.runCommand(), a.demoCommand(), a.checkCommand(), a.trustCommand(), a.statusCommand(),
		a.schemaCommand(), a.dbCommand(), a.tokenCommand(), a.clustersCommand(), a.permissionsCommand(), a.vmsCommand(), a.nodesCommand(), a.groupsCommand(), a.networksCommand(), a.jobsCommand(), a.showCommand(),
		a.changesCommand(), a.versionCommand(), a.packageFilesCommand())
	return root
}

// configFlags are the flags that are configuration keys, by the names that package config gives them.
func configFlags() []struct{ name, usage string } {
	return []struct{ name, usage string }{
		{"database", "`URL` of the database: sqlite:PATH or postgres://USER@HOST/DATABASE?sslmode=verify-full"},
		{"rapi", "without a configuration file: the `URL` of one cluster's RAPI, https://HOST[:PORT], or several separated by commas"},
		{"rapi-username", "its RAPI `USER`"},
		{"rapi-password-file", "the `FILE` with its password"},
		{"rapi-pin-sha256", "the `PIN` of its certificate, as 'updater trust HOST:PORT' prints it"},
		{"rapi-ca-file", "the PEM `FILE` with its certificate or the authority that signed it"},
		{"log-level", "`LEVEL` of the log: debug, info, warn or error"},
		{"log-format", "`FORMAT` of the log: auto, json or console"},
	}
}

func (a *app) globalFlags(f *pflag.FlagSet) {
	f.StringVar(&a.configFile, "config", "", "configuration `FILE` (default $UPDATER_CONFIG, else /etc/ganeti-cache-updater/config.yaml)")
	for _, c := range configFlags() {
		f.String(c.name, "", c.usage)
	}
}

// collectFlags notes which configuration keys were given as flags. Commands that read no configuration ignore them.
func (a *app) collectFlags(cmd *cobra.Command) error {
	for _, c := range configFlags() {
		// A command may have a flag of the same name that means something else (clusters add --rapi).
		if f := cmd.Flags().Lookup(c.name); f != nil && f.Changed && f == cmd.Root().PersistentFlags().Lookup(c.name) {
			a.flags[c.name] = f.Value.String()
		}
	}
	return nil
}

// config loads the configuration. Its error asks for the exit code of bad configuration.
func (a *app) config() (*config.Config, error) {
	c, err := config.Load(config.Options{File: a.configFile, Env: a.env, Flags: a.flags})
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return c, nil
}

// warn prints what is allowed but should not stay as it is.
func (a *app) warn(c *config.Config) {
	for _, w := range c.Warnings() {
		fmt.Fprintf(a.stderr, "updater: warning: %s\n", w)
	}
}

// unwrapped is the stream itself, to which a terminal's control sequences may be written.
func unwrapped(w io.Writer) io.Writer {
	if p, ok := w.(*printable.Writer); ok {
		return p.Unwrap()
	}
	return w
}

// isTerminal says whether w is a terminal that understands cursor movements.
func (a *app) isTerminal(w io.Writer) bool {
	f, ok := unwrapped(w).(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && !slices.Contains(a.env, "TERM=dumb")
}
