package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"ganeticache/api"
)

func (a *app) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make tokens for the HTTP API",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(a.newTokenCommand())
	return cmd
}

// newToken is what `token new` prints with --json. The names are public.
type newToken struct {
	Token string `json:"token"`
	Entry any    `json:"entry"`
}

// tokenEntry is an entry of the token file.
type tokenEntry struct {
	Name       string   `yaml:"name" json:"name"`
	SHA256     string   `yaml:"sha256" json:"sha256"`
	Scope      string   `yaml:"scope" json:"scope"`
	Subjects   []string `yaml:"subjects,omitempty,flow" json:"subjects,omitempty"`
	Permission string   `yaml:"permission,omitempty" json:"permission,omitempty"`
}

func (a *app) newTokenCommand() *cobra.Command {
	var e tokenEntry
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a random token and print the entry for the token file",
		Long: `new prints a new token, which is not stored anywhere and never shown again, and the entry to add to the token file
(api.tokens_file). The file holds only the token's hash. A running updater reads the file again automatically.

The scope read shows what the subjects are granted (updater permissions grant), refresh may also make the updater
query Ganeti at once, and admin may do both for everything.`,
		Example: `  updater token new portal --scope read --subject group:web --subject user:alice
  updater token new grafana --scope admin --json
  # without the updater: a token, and what to write after sha256:
  openssl rand -hex 32 | tee token | tr -d '\n' | sha256sum`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			e.Name = args[0]
			return a.newToken(e)
		},
	}
	f := cmd.Flags()
	f.StringVar(&e.Scope, "scope", "read", "what the token may do: read, refresh or admin")
	f.StringArrayVar(&e.Subjects, "subject", nil, "a `SUBJECT` whose permissions the token has (repeat it for several)")
	f.StringVar(&e.Permission, "permission", "", "count only grants of this `PERMISSION` (default: any)")
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) newToken(e tokenEntry) error {
	token, hash, err := api.NewToken()
	if err != nil {
		return fail(err)
	}
	e.SHA256 = hash
	text, err := yaml.Marshal(map[string][]tokenEntry{"tokens": {e}})
	if err != nil {
		return fail(err)
	}
	if err := api.CheckTokens(text); err != nil {
		return &exitError{exitUsage, fmt.Errorf("the entry would be invalid: %w", err)}
	}
	if a.jsonOutput {
		return a.printJSON(newToken{token, e})
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	entry := strings.Join(slices.DeleteFunc(lines, func(l string) bool { return l == "tokens:" }), "\n")
	return a.printf("token (give it to the client; it is not shown again):\n%s\n\nentry for the file of api.tokens_file, below tokens:\n%s\n", token, entry)
}
