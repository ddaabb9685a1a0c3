package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"ganeticache/printable"
	"ganeticache/updater"
)

// onceOptions are the flags of a single refresh.
type onceOptions struct {
	once     bool
	clusters []string
	dryRun   bool
	json     bool
	eachLine bool
	// textfile is the folder for node_exporter; none when empty.
	textfile string
	// stdin has the lines for eachLine.
	stdin io.Reader
}

func (o *onceOptions) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.once, "once", false, "refresh every enabled cluster now, whatever its schedule or back-off, and exit")
	f.StringArrayVar(&o.clusters, "cluster", nil, "with --once: only the cluster `NAME`; may be repeated")
	f.BoolVar(&o.dryRun, "dry-run", false, "with --once: say what would change and write nothing")
	f.BoolVar(&o.json, "json", false, "with --once: print the outcome as JSON, for programs")
	f.BoolVar(&o.eachLine, "each-line", false, "with --once: refresh once for each line of standard input until it ends, so that a program controls the timing")
	f.StringVar(&o.textfile, "textfile", "", "with --once: write the outcome to "+textfileName+" in `DIR`, for node_exporter's textfile collector")
}

// set says whether a single refresh was asked for. The other flags have no meaning without --once, and a daemon that
// starts instead of a dry run is not what was meant.
func (o *onceOptions) set() (bool, error) {
	if !o.once && (o.dryRun || o.json || o.eachLine || o.textfile != "" || len(o.clusters) > 0) {
		return false, errors.New("--cluster, --dry-run, --textfile, --each-line and --json need --once; see updater --help")
	}
	if o.textfile != "" && (o.dryRun || o.eachLine) {
		return false, errors.New("--textfile reports a single refresh; leave out --dry-run and --each-line")
	}
	return o.once, nil
}

// once refreshes the clusters now, prints the outcome, and turns it into the exit code, which --textfile tells as well.
func (a *app) once(ctx context.Context, o onceOptions) error {
	t := newTextfile(o.textfile)
	return t.write(a.refreshOnce(ctx, o, t))
}

func (a *app) refreshOnce(ctx context.Context, o onceOptions, t *textfile) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	store, c, _, err := a.openClusters(ctx, c)
	if err != nil {
		return err
	}
	defer closeStore(store, &err)
	if !o.dryRun {
		release, err := claim(ctx, store)
		if err != nil {
			return err
		}
		defer release()
	}
	a.warn(c)
	opts, err := updaterOptions(c, store)
	if err != nil {
		return err
	}
	opts.DryRun, opts.Explain = o.dryRun, o.dryRun
	bars := a.isTerminal(a.stderr) && !o.json
	if !bars {
		// The bars and the table show a person what the log's lines tell everyone else.
		if opts.Logger, err = a.logger(c.Log, a.stderr); err != nil {
			return err
		}
	}
	u, err := updater.New(ctx, opts)
	if err != nil {
		return fail(err)
	}
	if bars {
		for name, now := range u.Renamed() { // the log has it otherwise
			fmt.Fprintf(a.stderr, "updater: warning: cluster %s is called %s in the database; change its name in the configuration, too\n", name, printable.Text(now))
		}
	}
	refresh := func() error {
		results, err := a.refreshAll(ctx, u, o, bars)
		return beside(a.outcome(results, o, err), t.refreshed(ctx, store, results))
	}
	if o.eachLine {
		return rounds(ctx, o.stdin, refresh)
	}
	return refresh()
}

// outcome prints the results and turns them, and the error beside them, into the exit code.
func (a *app) outcome(results []updater.Result, o onceOptions, err error) error {
	if errors.Is(err, updater.ErrUnknownCluster) {
		return &exitError{exitUsage, err}
	}
	if printErr := a.printResults(results, o); printErr != nil || err != nil {
		return fail(errors.Join(err, printErr))
	}
	return exitCode(results)
}

func (a *app) refreshAll(ctx context.Context, u *updater.Updater, o onceOptions, bars bool) ([]updater.Result, error) {
	if !bars {
		return u.Once(ctx, o.clusters, nil)
	}
	names := o.clusters
	if len(names) == 0 {
		names = u.Names()
	}
	p := newProgress(unwrapped(a.stderr), names)
	defer p.stop()
	return u.Once(ctx, o.clusters, p.step)
}

// exitCode sums the results up: 0 all refreshed, 3 some failed, 1 none refreshed.
func exitCode(results []updater.Result) error {
	failed := 0
	for _, r := range results {
		if failureOf(r) != nil {
			failed++
		}
	}
	switch failed {
	case 0:
		return nil
	case len(results):
		return &exitError{exitFailed, errReported}
	default:
		return &exitError{exitPartial, errReported}
	}
}

// resultJSON is a [updater.Result] as --json prints it. The names are public.
type resultJSON struct {
	Cluster  string     `json:"cluster"`
	Started  string     `json:"started_at"`
	Seconds  float64    `json:"duration_seconds"`
	OK       bool       `json:"ok"`
	Error    string     `json:"error,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	Failures int        `json:"consecutive_failures,omitempty"`
	NextDue  string     `json:"next_due_at,omitempty"`
	Kinds    []kindJSON `json:"kinds"`
}

type kindJSON struct {
	Kind        string       `json:"kind"`
	Objects     int          `json:"objects"`
	Bytes       int64        `json:"bytes"`
	Seconds     float64      `json:"rapi_seconds"`
	Created     int          `json:"created"`
	Updated     int          `json:"updated"`
	Renamed     int          `json:"renamed"`
	Removed     int          `json:"removed"`
	Restored    int          `json:"restored"`
	Quarantined int          `json:"quarantined"`
	RowsWritten int64        `json:"rows_written"`
	Error       string       `json:"error,omitempty"`
	Changes     []changeJSON `json:"changes,omitempty"`
}

type changeJSON struct {
	Op     string `json:"op"`
	UUID   string `json:"uuid"`
	Name   string `json:"name"`
	Fields any    `json:"fields,omitempty"`
}

const timeFormat = "2006-01-02T15:04:05.000Z07:00"

func toJSON(results []updater.Result) []resultJSON {
	out := make([]resultJSON, 0, len(results))
	for _, r := range results {
		j := resultJSON{
			Cluster: r.Cluster, Started: r.StartedAt.Format(timeFormat), Seconds: r.Duration.Seconds(),
			OK: true, Failures: r.Failures, Kinds: []kindJSON{},
		}
		if err := failureOf(r); err != nil {
			j.OK, j.Error, j.Reason = false, err.Error(), updater.Reason(err)
		}
		if !r.NextDue.IsZero() {
			j.NextDue = r.NextDue.Format(timeFormat)
		}
		for _, k := range r.Kinds {
			j.Kinds = append(j.Kinds, kindToJSON(k))
		}
		out = append(out, j)
	}
	return out
}

func kindToJSON(k updater.KindResult) kindJSON {
	o := k.Outcome
	j := kindJSON{
		Kind: string(k.Kind), Objects: k.Objects, Bytes: k.Bytes, Seconds: k.Duration.Seconds(),
		Created: o.Created, Updated: o.Updated, Renamed: o.Renamed, Removed: o.Removed, Restored: o.Restored,
		Quarantined: o.Quarantined, RowsWritten: o.RowsWritten,
	}
	if k.Err != nil {
		j.Error = fmt.Sprint(k.Err)
	}
	for _, c := range o.Changes {
		cj := changeJSON{Op: string(c.Op), UUID: c.UUID, Name: c.Name}
		if len(c.Fields) > 0 {
			cj.Fields = c.Fields
		}
		j.Changes = append(j.Changes, cj)
	}
	return j
}
