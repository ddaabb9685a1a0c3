package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ganeticache/db"
	"ganeticache/printable"
)

// vmOptions are the flags of updater vms.
type vmOptions struct {
	listOptions
	statuses                   []string
	node, primary, secondary   string
	os, diskTemplate           string
	ip, mac, network           string
	memory, vcpus, disk, sumBy string
}

func (o *vmOptions) vmFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.statuses, "status", nil,
		"only those with `STATUS`: Ganeti's word (ERROR_down), or running, down, error; may be repeated: any of them")
	f.StringVar(&o.node, "node", "", "only those whose primary or a secondary node is `NAME`")
	f.StringVar(&o.primary, "primary-node", "", "only those whose primary node is `NAME`")
	f.StringVar(&o.secondary, "secondary-node", "", "only those with the secondary node `NAME`")
	f.StringVar(&o.os, "os", "", "only those with operating system `NAME`")
	f.StringVar(&o.diskTemplate, "disk-template", "", "only those with disk template `NAME`: drbd, plain, …")
	f.StringVar(&o.ip, "ip", "", "only those with a NIC with address `IP`")
	f.StringVar(&o.mac, "mac", "", "only those with a NIC with address `MAC`")
	f.StringVar(&o.network, "network", "", "only those with a NIC in network `NAME`")
	f.StringVar(&o.memory, "memory", "", "only those with memory in `RANGE`: 4G, 4G.., ..16G, 4G..16G; without a unit MiB")
	f.StringVar(&o.vcpus, "vcpus", "", "only those with virtual CPUs in `RANGE`: 4, 4.., ..16, 4..16")
	f.StringVar(&o.disk, "disk", "", "only those with disks in `RANGE`, all disks together, like --memory")
	f.StringVar(&o.sumBy, "sum", "", "instead of the list, add up VMs, CPUs, memory and disk by `WHAT`: cluster, node, os, tag, status or total")
}

func (a *app) vmsCommand() *cobra.Command {
	var o vmOptions
	cmd := a.listCommand("vms", "List, search and add up VMs", `  updater vms --cluster prod --status error
  updater vms --tag-prefix owner: --memory 4G..16G --sort memory_mib --desc
  updater vms --ip 192.0.2.17
  updater vms --changed-since 24h --with-deleted --csv --all
  updater vms --status running --sum node`, db.KindVM, &o.listOptions,
		func(ctx context.Context, s *db.Store) error { return o.run(ctx, a, s) })
	o.vmFlags(cmd.Flags())
	return cmd
}

func (o *vmOptions) filter(which db.Tombstones, since *time.Time, after string) (db.VMFilter, error) {
	f := db.VMFilter{
		Clusters: o.clusters, Statuses: o.statuses, Name: o.name, Node: o.node, PrimaryNode: o.primary,
		SecondaryNode: o.secondary, OS: o.os, DiskTemplate: o.diskTemplate, Tags: o.tags, TagPrefixes: o.tagPrefixes,
		IP: o.ip, MAC: o.mac, Network: o.network, ChangedSince: since, Tombstones: which,
		Sort: o.sort, Descending: o.descending, Limit: o.pageSize(), After: after,
	}
	return f, parseRanges([]rangeFlag{
		{"memory", o.memory, db.MiB, &f.Memory}, {"vcpus", o.vcpus, db.Pieces, &f.VCPUs}, {"disk", o.disk, db.MiB, &f.Disk},
	})
}

// rangeFlag is a flag with a range.
type rangeFlag struct {
	name, text string
	unit       db.Unit
	into       *db.Range
}

func parseRanges(flags []rangeFlag) error {
	for _, r := range flags {
		if r.text == "" {
			continue
		}
		var err error
		if *r.into, err = db.ParseRange(r.text, r.unit); err != nil {
			return fmt.Errorf("--%s: %w", r.name, err)
		}
	}
	return nil
}

func (o *vmOptions) run(ctx context.Context, a *app, s *db.Store) error {
	if o.sumBy != "" {
		return o.sum(ctx, a, s)
	}
	doubtful, err := o.filter(o.tombstones(), nil, "")
	if err != nil {
		return err
	}
	l := lister[db.VMView]{
		options: &o.listOptions, doubtful: doubtful,
		search: func(ctx context.Context, s *db.Store, which db.Tombstones, since *time.Time, after string) (db.Page[db.VMView], error) {
			f, err := o.filter(which, since, after)
			if err != nil {
				return db.Page[db.VMView]{}, err
			}
			return s.SearchVMs(ctx, f)
		},
		header: []any{"cluster", "name", "status", "node", "OS", "vcpus", "memory", "disk", "age"},
		row: func(v *db.VMView, now time.Time) table.Row {
			return table.Row{
				v.Cluster, v.Name, v.Status, v.PrimaryNode, v.OS, number(v.VCPUs), mib(v.MemoryMiB), mib(v.DiskMiB),
				gone(v.DeletedAt, v.CachedAt, now),
			}
		},
		numbers: [2]int{6, 8},
	}
	return l.run(ctx, a, s)
}

// sum prints sums instead of rows.
func (o *vmOptions) sum(ctx context.Context, a *app, s *db.Store) error {
	if o.sort != "" || o.descending || o.limit != 0 || o.after != "" {
		return &exitError{exitUsage, errors.New("--sum adds up all matches; --sort, --desc, --limit and --after are for lists")}
	}
	since, err := o.since(time.Now())
	if err != nil {
		return &exitError{exitUsage, err}
	}
	f, err := o.filter(o.tombstones(), since, "")
	if err != nil {
		return err
	}
	by := db.SumBy(o.sumBy)
	if o.sumBy == "total" {
		by = db.SumTotal
	}
	if err := o.checkClusters(ctx, s); err != nil {
		return err
	}
	sums, err := s.SumVMs(ctx, f, by)
	if err != nil {
		return err
	}
	if err := o.checkValues(ctx, s, f, len(sums) == 0 || by == db.SumTotal && sums[0].VMs == 0); err != nil {
		return err
	}
	switch {
	case a.jsonOutput:
		return a.printJSON(sums)
	case o.csv:
		return a.printCSV(sums)
	case len(sums) == 0:
		return a.printf("nothing found\n")
	}
	t := newTable(o.sumBy, "VMs", "vcpus", "memory", "disk")
	for _, sum := range sums {
		t.AppendRow(table.Row{printable.Text(sum.Key), sum.VMs, sum.VCPUs, mib(&sum.MemoryMiB), mib(&sum.DiskMiB)})
	}
	t.SetColumnConfigs(alignRight(2, 5))
	return a.printf("%s\n", t.Render())
}
