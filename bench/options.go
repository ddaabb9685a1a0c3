package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// options are the flags.
type options struct {
	// updater is the shipped binary, out the folder that takes the results; "" keeps them on the screen alone.
	updater, out string
	runs         int
	shapes       []shape
	chosen       []benchCase
	systems      []string
}

// systemKeys are those of all systems, in the order of the tables.
func systemKeys() []string {
	return []string{keyFloor, keyCold, keyColdChanges, keyPostgres, keySQLite, keyValues, keyRows, keyGWMBulk, keyGWMEach}
}

// quickSystems leave the peers out, which take most of the time.
func quickSystems() []string {
	return []string{keyFloor, keyCold, keyColdChanges, keyPostgres, keySQLite}
}

func parse(args []string, stderr io.Writer) (options, error) {
	o, err := parseFlags(args, stderr)
	if err == nil {
		err = o.check()
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(stderr, "bench:", err)
	}
	return o, err
}

func parseFlags(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.updater, "updater", "bin/updater", "the updater's `program`")
	f.StringVar(&o.out, "out", "bench/results", "`folder` for latest.md and latest.svg; empty: none")
	f.IntVar(&o.runs, "runs", 7, "`number` of measured rounds of each system in each case")
	shapeKeys, caseKeys, systems := keysOf(shapes(), shape.key), keysOf(cases(), func(c benchCase) string { return c.key }), systemKeys()
	list(f, &shapeKeys, "shapes", "clusters and VMs in each; any CLUSTERSxVMS")
	list(f, &caseKeys, "cases", "what happens before a round")
	list(f, &systems, "systems", "what is measured; peers with a single cluster only")
	quick := f.Bool("quick", false, "3 runs, two shapes, no peers, nothing kept, unless other flags say otherwise")
	if err := f.Parse(args); err != nil {
		return o, errors.Join(flag.ErrHelp, err)
	}
	given := map[string]bool{}
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	if *quick {
		unless(given["runs"], func() { o.runs = 3 })
		unless(given["out"], func() { o.out = "" })
		unless(given["shapes"], func() { shapeKeys = []string{"1x10000", "100x100"} })
		unless(given["systems"], func() { systems = quickSystems() })
	}
	for _, key := range shapeKeys {
		s, err := parseShape(key)
		if err != nil {
			return o, err
		}
		o.shapes = append(o.shapes, s)
	}
	o.systems = systems
	o.chosen, err = chooseCases(caseKeys)
	return o, err
}

func unless(given bool, set func()) {
	if !given {
		set()
	}
}

// list is a flag with several words, separated by commas.
func list(f *flag.FlagSet, words *[]string, name, what string) {
	f.Func(name, "`list` of "+what+" (default "+strings.Join(*words, ",")+")", func(text string) error {
		*words = strings.Split(text, ",")
		return nil
	})
}

func keysOf[T any](all []T, key func(T) string) []string {
	keys := make([]string, 0, len(all))
	for _, one := range all {
		keys = append(keys, key(one))
	}
	return keys
}

// chooseCases keeps the order in which cases are measured.
func chooseCases(keys []string) ([]benchCase, error) {
	var chosen []benchCase
	for _, c := range cases() {
		if slices.Contains(keys, c.key) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) != len(keys) {
		return nil, fmt.Errorf("-cases %s: they are %s", strings.Join(keys, ","),
			strings.Join(keysOf(cases(), func(c benchCase) string { return c.key }), ", "))
	}
	return chosen, nil
}

// check makes the program's name absolute, and refuses what could not be measured.
func (o *options) check() (err error) {
	for _, key := range o.systems {
		if !slices.Contains(systemKeys(), key) {
			return fmt.Errorf("there is no system %q; they are %s", key, strings.Join(systemKeys(), ", "))
		}
	}
	if o.runs < 1 {
		return errors.New("-runs must be 1 or more")
	}
	if o.updater, err = filepath.Abs(o.updater); err != nil {
		return fmt.Errorf("finding %s: %w", o.updater, err)
	}
	return nil
}
