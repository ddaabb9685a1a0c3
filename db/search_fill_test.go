package db_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ganeticache/db"
)

// The searches of the plan test and the benchmark run on VMs made by the database itself, spread as at a large site: 100
// clusters, 50 VMs to a node, nine of ten running, 1 % tombstones. Half a percent each is ERROR_down and ERROR_nodedown,
// one in 10,000 has a rare tag and a terabyte of memory, 1 % changed in the last hour.
const (
	fillClusters = 100
	fillUser     = "alice" // granted 20 VMs
	fillGroup    = "ops"   // granted one cluster
)

func fillTime() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// fillColumns gives each column's value from i, in words that both databases know but for the formats of numbers.
const fillColumns = `
SELECT 1 + i % 100, {hex} || '-5e52-4bd3-96ed-a296743a47d7', 'vm' || {name} || '.example.org',
       CASE WHEN i % 1000 < 900 THEN 'running' WHEN i % 1000 < 980 THEN 'ADMIN_down' WHEN i % 1000 < 985 THEN 'ERROR_down'
            WHEN i % 1000 < 990 THEN 'ERROR_nodedown' ELSE 'USER_down' END,
       'up', i % 1000 < 900, 'node' || (i % ({n} / 50)) || '.example.org', {secondary}, 'os-' || (i % 20),
       CASE i % 10 WHEN 9 THEN 'rbd' WHEN 8 THEN 'plain' ELSE 'drbd' END,
       1 + i % 32, CASE WHEN i % 10000 = 7 THEN 1048576 ELSE 512 * (1 + i % 40) END, 1024 * (1 + i % 997),
       {ips}, {macs}, {links}, {networks}, {tags}, 1, {info}, {digest},
       CASE WHEN i % 100 = 49 THEN {late} ELSE {at} END,
       CASE WHEN i % 100 = 99 THEN {at} END
FROM `

// fill makes n VMs, a multiple of 1,000, each with so many bytes of info.
func fill(tb testing.TB, s *db.Store, n, info int) {
	tb.Helper()
	var clusters []db.ClusterSettings
	for i := range fillClusters {
		clusters = append(clusters, db.ClusterSettings{Name: fmt.Sprintf("cluster%02d", i), RAPIHost: "rapi", RAPIPort: 5080})
	}
	must(s.SyncClusters(tb.Context(), clusters))(tb)
	const into = `INSERT INTO virtual_machines (cluster_id, uuid, name, status, admin_state, oper_state, primary_node,
		secondary_nodes, os, disk_template, vcpus, memory_mib, disk_mib, nic_ips, nic_macs, nic_links, nic_networks, tags,
		serial_no, info, digest, observed_at, deleted_at)`
	words, from := sqliteFill(), fmt.Sprintf("(WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i FROM n)", n-1)
	if s.Dialect() == "postgres" {
		words, from = postgresFill(), fmt.Sprintf("generate_series(0, %d) AS n (i)", n-1)
	}
	const layout = "2006-01-02 15:04:05-07:00"
	at, late := fillTime().Format(layout), fillTime().Add(24*time.Hour).Format(layout)
	columns := strings.NewReplacer(words...).Replace(fillColumns)
	columns = strings.NewReplacer("{n}", strconv.Itoa(n), "$info", strconv.Itoa(info), "$at", at, "$late", late).Replace(columns)
	statements := []string{
		into + columns + from,
		"INSERT INTO changes (cluster_id, kind, object_id, uuid, name, op, observed_at)" +
			" SELECT cluster_id, 'vm', id, uuid, name, 'created', '" + at + "' FROM virtual_machines ORDER BY id",
		"INSERT INTO changes (cluster_id, kind, object_id, uuid, name, op, observed_at)" +
			" SELECT cluster_id, 'vm', id, uuid, name, 'updated', observed_at FROM virtual_machines" +
			" WHERE id % 100 = 50 ORDER BY id",
		fmt.Sprintf("INSERT INTO permissions (subject, permission, vm_id) SELECT '%s', 'view', id FROM virtual_machines"+
			" WHERE id %% %d = 1", fillUser, n/20),
		fmt.Sprintf("INSERT INTO permissions (subject, permission, cluster_id) VALUES ('%s', 'view', 7)", fillGroup),
		"INSERT INTO freshness (cluster_id, kind, refreshed_at) SELECT id, 'vm', '" + at + "' FROM clusters",
	}
	if s.Dialect() == "postgres" {
		statements = append(statements, "VACUUM ANALYZE")
	} else {
		statements = withoutTriggers(tb, s, statements)
	}
	for _, statement := range statements {
		if _, err := s.Writer().ExecContext(tb.Context(), statement); err != nil {
			tb.Fatalf("%v\n%.2000s", err, statement)
		}
	}
}

// withoutTriggers fills vm_terms in one go, which takes a fraction of the time. TestSQLite_TermsFollow is about the
// triggers.
func withoutTriggers(tb testing.TB, s *db.Store, statements []string) []string {
	tb.Helper()
	var create string
	const query = "SELECT sql FROM sqlite_master WHERE name = 'vm_terms_insert'"
	if err := s.DB().GetContext(tb.Context(), &create, query); err != nil {
		tb.Fatal(err)
	}
	terms := make([]string, 0, 5)
	for _, l := range [][2]string{{"ip", "nic_ips"}, {"mac", "nic_macs"}, {"network", "nic_networks"}, {"secondary_node", "secondary_nodes"}, {"tag", "tags"}} {
		terms = append(terms, "INSERT INTO vm_terms SELECT '"+l[0]+"', e.value, v.id FROM virtual_machines v, json_each(v."+l[1]+") e ORDER BY 2, 3")
	}
	return slices.Concat([]string{"DROP TRIGGER vm_terms_insert"}, statements, terms, []string{create})
}

func sqliteFill() []string {
	return []string{
		"{hex}", "printf('%08x', i)", "{name}", "printf('%07d', i * 7919 % {n})",
		"{secondary}", `'["node' || ((i + 1) % ({n} / 50)) || '.example.org"]'`,
		"{ips}", `printf('["10.%d.%d.%d"]', i / 65536, i / 256 % 256, i % 256)`,
		"{macs}", `printf('["aa:00:00:%02x:%02x:%02x"]', i / 65536, i / 256 % 256, i % 256)`,
		"{links}", `'["br0"]'`, "{networks}", `'["net' || (i % 500) || '"]'`,
		"{tags}", `'["env:' || (i % 3) || '","owner:team' || (i % 2000) || CASE WHEN i % 10000 = 7 THEN '","rare:' || i ELSE '' END || '"]'`,
		"{info}", `printf('{"pad": "%.$infoc"}', 'x')`, "{digest}", "zeroblob(16)", "{at}", "'$at'", "{late}", "'$late'",
	}
}

func postgresFill() []string {
	return []string{
		"{hex}", "lpad(to_hex(i), 8, '0')", "{name}", "lpad((i::bigint * 7919 % {n})::text, 7, '0')",
		"{secondary}", "ARRAY['node' || ((i + 1) % ({n} / 50)) || '.example.org']",
		"{ips}", "ARRAY[format('10.%s.%s.%s', i / 65536, i / 256 % 256, i % 256)]",
		"{macs}", "ARRAY[format('aa:00:00:%s:%s:%s', lpad(to_hex(i / 65536), 2, '0'), lpad(to_hex(i / 256 % 256), 2, '0'), lpad(to_hex(i % 256), 2, '0'))]",
		"{links}", "ARRAY['br0']", "{networks}", "ARRAY['net' || (i % 500)]",
		"{tags}", "ARRAY['env:' || (i % 3), 'owner:team' || (i % 2000)] || CASE WHEN i % 10000 = 7 THEN ARRAY['rare:' || i] END",
		"{info}", `jsonb_build_object('pad', repeat('x', $info))`, "{digest}", `'\x00000000000000000000000000000000'::bytea`,
		"{at}", "'$at'::timestamptz", "{late}", "'$late'::timestamptz",
	}
}

// fillSearch is a filter that a site uses.
type fillSearch struct {
	name   string
	filter db.VMFilter
	// What its plan must name; "" leaves the choice among several good plans to the database.
	postgres, sqlite string
}

func fillSearches() []fillSearch {
	const byName = "virtual_machines_name"
	changed := fillTime().Add(time.Hour)
	gib := func(low, high int64) db.Range { low, high = low<<10, high<<10; return db.Range{Min: &low, Max: &high} }
	return []fillSearch{
		{"everything", db.VMFilter{}, byName, byName},
		{"cluster", db.VMFilter{Clusters: []string{"cluster07"}}, "virtual_machines_cluster_name", "virtual_machines_cluster_name"},
		{"clusters", db.VMFilter{Clusters: []string{"cluster07", "cluster08", "cluster42"}}, "", ""},
		{"status common", db.VMFilter{Statuses: []string{"running"}}, "virtual_machines_status", "virtual_machines_status"},
		{"status rare", db.VMFilter{Statuses: []string{"ERROR_down"}}, "", ""},
		{"status error", db.VMFilter{Statuses: []string{"error"}}, "", ""},
		{"name", db.VMFilter{Name: "vm0001234.example.org"}, byName, byName},
		{"name prefix", db.VMFilter{Name: "vm0001*"}, byName, byName},
		{"name glob", db.VMFilter{Name: "vm*77?.example.org"}, byName, byName},
		{"node", db.VMFilter{Node: "node77.example.org"}, "virtual_machines_lists", "virtual_machines_primary_node"},
		{"primary node", db.VMFilter{PrimaryNode: "node77.example.org"}, "virtual_machines_primary_node", "virtual_machines_primary_node"},
		{"secondary node", db.VMFilter{SecondaryNode: "node77.example.org"}, "virtual_machines_lists", "vm_terms"},
		{"os", db.VMFilter{OS: "os-3"}, "", ""},
		{"disk template", db.VMFilter{DiskTemplate: "rbd"}, "", ""},
		{"tag common", db.VMFilter{Tags: []string{"env:1"}}, byName, byName},
		{"tag", db.VMFilter{Tags: []string{"owner:team77"}}, "virtual_machines_lists", "vm_terms"},
		{"tags", db.VMFilter{Tags: []string{"owner:team77", "env:2"}}, "virtual_machines_lists", "vm_terms"},
		{"tag prefix common", db.VMFilter{TagPrefixes: []string{"owner:"}}, byName, byName},
		{"tag prefix rare", db.VMFilter{TagPrefixes: []string{"rare:"}}, "virtual_machines_lists", "vm_terms"},
		{"ip", db.VMFilter{IP: "10.0.7.8"}, "virtual_machines_lists", "vm_terms"},
		{"ip of no VM", db.VMFilter{IP: "192.0.2.1"}, "virtual_machines_lists", "vm_terms"},
		{"mac", db.VMFilter{MAC: "AA:00:00:00:07:08"}, "virtual_machines_lists", "vm_terms"},
		{"network", db.VMFilter{Network: "net77"}, "", ""},
		{"memory", db.VMFilter{Memory: gib(4, 16)}, "", ""},
		{"memory rare", db.VMFilter{Memory: gib(1000, 2000)}, "virtual_machines_memory_mib", "virtual_machines_memory_mib"},
		{"vcpus", db.VMFilter{VCPUs: db.Range{Min: new(int64(32))}}, "", ""},
		{"disk", db.VMFilter{Disk: gib(500, 500)}, "", ""},
		{"changed since", db.VMFilter{ChangedSince: &changed}, "", ""},
		{"tombstones", db.VMFilter{Tombstones: db.TombstonesOnly}, "", ""},
		{"with tombstones", db.VMFilter{Tombstones: db.WithTombstones}, byName, byName},
		{"few permitted", db.VMFilter{Permitted: &db.Permitted{Subjects: []string{fillUser}, Permission: "view"}}, "", ""},
		{"a cluster permitted", db.VMFilter{Permitted: &db.Permitted{Subjects: []string{fillGroup}, Permission: "view"}}, "", ""},
		{"several", db.VMFilter{
			Clusters: []string{"cluster07"}, Statuses: []string{"running"}, Tags: []string{"env:1"}, Memory: gib(4, 16),
		}, "", ""},
	}
}
