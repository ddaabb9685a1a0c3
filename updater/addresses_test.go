package updater_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// TestRemaker_CanonicalAddresses: every column with an address has its canonical form, and what is no address stays.
func TestRemaker_CanonicalAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind db.Kind
		info string
		of   func(db.Row) []string
		want []string
	}{
		{
			db.KindVM, `{"uuid": "u", "name": "n", "nic.ips": ["2001:DB8:0:0::1", null, "192.0.2.1", "pool"],
				"nic.macs": ["AA:00:00:12:34:56", "aa-00-00-12-34-56", "auto", null]}`,
			func(r db.Row) []string { vm := r.(*db.VM); return append(vm.NICIPs, vm.NICMACs...) },
			[]string{"2001:db8::1", "", "192.0.2.1", "pool", "aa:00:00:12:34:56", "aa:00:00:12:34:56", "auto", ""},
		},
		{
			db.KindNode, `{"uuid": "u", "name": "n", "pip": "2001:0DB8::0001", "sip": "192.0.2.1"}`,
			func(r db.Row) []string { n := r.(*db.Node); return []string{n.PrimaryIP, n.SecondaryIP} },
			[]string{"2001:db8::1", "192.0.2.1"},
		},
		{
			db.KindNetwork, `{"uuid": "u", "name": "n", "network": "192.0.2.0/24", "gateway": null, "network6": "2001:DB8:0::/64",
				"gateway6": "2001:DB8:0:0::1", "mac_prefix": "AA:00:01"}`,
			func(r db.Row) []string {
				n := r.(*db.Network)
				return []string{n.Network, n.Gateway, n.Network6, n.Gateway6, n.MACPrefix}
			},
			[]string{"192.0.2.0/24", "", "2001:db8::/64", "2001:db8::1", "aa:00:01"},
		},
	}
	for _, tt := range tests {
		row, err := updater.NewRemaker(nil).Row(tt.kind, db.JSON(tt.info))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, tt.of(row)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.kind, diff)
		}
		if !bytes.Equal(row.Base().Info, db.JSON(tt.info)) {
			t.Errorf("%s: info is not as it was sent: %s", tt.kind, row.Base().Info)
		}
	}
}

// TestAddresses: an address is found however it is written, in rows of today and in those that an earlier version stored as
// they came; these are brought into the form of today without an entry in changes.
func TestAddresses(t *testing.T) {
	t.Parallel()
	eachRemaking(t, func(t *testing.T, s *db.Store) {
		t.Helper()
		r := newRig(t, s, rapisim.Options{VMs: 3, Nodes: 1}, "prod")
		sent := r.sim().Instances()[1]
		must(t, r.sim().Corrupt(sent.Name, func(item []byte) []byte {
			item = rapisim.SetField("nic.ips", `["2001:DB8:0:0::2"]`)(item)
			return rapisim.SetField("nic.macs", `["AA:00:00:00:00:02"]`)(item)
		}))
		find := func(when string, filters ...db.VMFilter) {
			for _, f := range filters {
				page, err := s.SearchVMs(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				if len(page.Items) != 1 || page.Items[0].Name != sent.Name {
					t.Errorf("%s: %s%s finds %d VMs", when, f.IP, f.MAC, len(page.Items))
				}
			}
		}
		all := []db.VMFilter{
			{IP: "2001:db8::2"},
			{IP: "2001:DB8::2"},
			{IP: "2001:db8:0:0:0:0:0:2"},
			{IP: "2001:DB8:0:0::2"},
			{MAC: "aa:00:00:00:00:02"},
			{MAC: "AA:00:00:00:00:02"},
			{MAC: "aa-00-00-00-00-02"},
			{MAC: "AA00.0000.0002"},
		}
		r.mustRefresh("prod")
		find("stored today", all...)
		asSent := "UPDATE virtual_machines SET nic_ips = '{2001:DB8:0:0::2}', nic_macs = '{AA:00:00:00:00:02}' WHERE name = ?"
		if s.Dialect() == "sqlite" {
			asSent = `UPDATE virtual_machines SET nic_ips = '["2001:DB8:0:0::2"]', nic_macs = '["AA:00:00:00:00:02"]' WHERE name = ?`
		}
		for _, statement := range []string{asSent, "DELETE FROM backfills"} {
			var args []any
			if statement == asSent {
				args = []any{sent.Name}
			}
			if _, err := s.Writer().ExecContext(t.Context(), s.Writer().Rebind(statement), args...); err != nil {
				t.Fatal(err)
			}
		}
		find("stored as sent", db.VMFilter{IP: "2001:DB8:0:0::2"}, db.VMFilter{MAC: "AA:00:00:00:00:02"}, db.VMFilter{MAC: "aa:00:00:00:00:02"})
		entries := r.entries()
		if sum := backfill(t, s); sum.Changed != 1 {
			t.Errorf("%d rows were brought up to date", sum.Changed)
		}
		find("brought up to date", all...)
		if got := r.entries(); got != entries {
			t.Errorf("%d entries were added to changes", got-entries)
		}
	})
}
