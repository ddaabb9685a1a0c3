package ganeti_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti"
)

func TestDecodeInstance_Recorded(t *testing.T) {
	t.Parallel()
	got, err := ganeti.DecodeInstance(file(t, "instance-kvm.body"))
	if err != nil {
		t.Fatal(err)
	}
	want := ganeti.Instance{
		UUID: "0b1aaaec-1bd5-42e7-be8f-63ae83ecbacd", Name: "kvm1.gnt.test",
		Status: "running", AdminState: "up", OperState: new(true),
		PNode: "node1.gnt.test", SNodes: []string{}, OS: "noop+default", DiskTemplate: "diskless",
		VCPUs: new(int64(2)), MemoryMiB: new(int64(256)), OperRAM: new(int64(256)), OperVCPUs: new(int64(2)),
		DiskSizes: []int64{}, DiskMiB: new(int64(0)),
		NICIPs: []string{""}, NICMACs: []string{"aa:00:00:1a:88:20"}, NICLinks: []string{"br0"},
		NICModes: []string{"bridged"}, NICBridges: []string{"br0"}, NICNetworkNames: []string{""}, NICNetworks: []string{""},
		NetworkPort: new(int64(11000)), Tags: []string{}, SerialNo: new(int64(4)),
		CTime: at(1795368890, 461911), MTime: at(1795368938, 205791),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeNode_Recorded(t *testing.T) {
	t.Parallel()
	got, err := ganeti.DecodeNode(file(t, "node.body"))
	if err != nil {
		t.Fatal(err)
	}
	want := ganeti.Node{
		UUID: "bca50088-669f-48f6-a59e-e98d31f7d1db", Name: "node1.gnt.test", Role: "M",
		Offline: new(false), Drained: new(false), MasterCandidate: new(true), MasterCapable: new(true), VMCapable: new(true),
		GroupUUID: "b751c8eb-be6e-49c9-b039-7bbd887d834e", PrimaryIP: "10.99.0.10", SecondaryIP: "10.99.0.10",
		MemoryTotalMiB: new(int64(24105)), MemoryFreeMiB: new(int64(23036)), MemoryNodeMiB: new(int64(536)),
		DiskTotalMiB: new(int64(258019)), DiskFreeMiB: new(int64(78314)),
		CPUs: new(int64(2)), CPUSockets: new(int64(1)), CPUNodes: new(int64(1)), CPUsReserved: new(int64(2)),
		PrimaryInstances: new(int64(5)), SecondaryInstances: new(int64(0)),
		Tags: []string{"rack:1"}, SerialNo: new(int64(2)), CTime: at(1795367902, 99352), MTime: at(1795367949, 223331),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeOthers_Recorded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		decoder, file string
		want          any
	}{
		{"Group", "group.body", ganeti.Group{
			UUID: "9bfb85aa-1200-4ce2-b670-fca7cd90b4a8", Name: "rack2", AllocPolicy: "preferred", NodeCount: new(int64(1)),
			Nodes: []string{"node4.gnt.test"}, Tags: []string{"site:b"}, SerialNo: new(int64(5)),
			CTime: at(1795367924, 871784), MTime: at(1795367973, 556268),
		}},
		{"Network", "network.body", ganeti.Network{
			UUID: "43782257-8eb6-4311-9528-6207bbf7f2fe", Name: "net1", Network: "10.99.64.0/20", Gateway: "10.99.64.1",
			MACPrefix: "aa:bb:cc", FreeCount: new(int64(4090)), ReservedCount: new(int64(6)), Tags: []string{"env:prod"},
			SerialNo: new(int64(1)), CTime: at(1795367922, 8178), MTime: at(1795367922, 8178),
		}},
		{"Job", "job-error.body", ganeti.Job{
			ID: "18", Name: "INSTANCE_CREATE(inst0003.gnt.test)", Status: "error",
			Summary: []string{"INSTANCE_CREATE(inst0003.gnt.test)"}, ReceivedAt: at(1795367976, 81797),
			StartedAt: at(1795367978, 924247), EndedAt: at(1795367980, 728722),
		}},
		{"Job", "job-404.body", ganeti.Job{ID: "999999"}},
		{"Info", "info.body", ganeti.Info{
			UUID: "38461f71-54eb-451b-ad1e-2579ca8e00a5", Name: "cluster.gnt.test", SoftwareVersion: "3.0.2",
			Master: "node1.gnt.test", DefaultHypervisor: "fake", Hypervisors: []string{"fake"},
			Tags: []string{"cluster:test", "owner:gwm"}, CTime: at(1795367902, 99352), MTime: at(1795367949, 223331),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			got, err := decoders[tt.decoder](file(t, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecode_BulkRecordings reads every recorded bulk answer whole and counts
// what matters: the states of trouble arrive as Ganeti names them.
func TestDecode_BulkRecordings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file, decoder string
		want          map[string]int
	}{
		{"instances-bulk.body", "Instance", map[string]int{"running": 15, "ADMIN_down": 5}},
		{"instances-bulk-500.body", "Instance", map[string]int{"running": 347, "ADMIN_down": 125, "ERROR_down": 17}},
		{"state-back.body", "Instance", map[string]int{"running": 15, "ADMIN_down": 5}},
		{"fail-wconfd-stopped-bulk.body", "Instance", map[string]int{"running": 15, "ADMIN_down": 5}},
		{"fail-noded-hung-bulk.body", "Instance", map[string]int{"running": 10, "ADMIN_down": 5, "ERROR_nodedown": 5}},
		{"state-error-down-up-wrongnode.body", "Instance", map[string]int{
			"running": 13, "ADMIN_down": 4, "ERROR_down": 1, "ERROR_up": 1, "ERROR_wrongnode": 1,
		}},
		{"state-nodedown-bulk.body", "Instance", map[string]int{"running": 10, "ADMIN_down": 5, "ERROR_nodedown": 5}},
		{"state-nodeoffline-bulk.body", "Instance", map[string]int{"running": 10, "ADMIN_down": 5, "ERROR_nodeoffline": 5}},
		{"nodes-bulk.body", "Node", map[string]int{"M": 1, "C": 3}},
		{"nodes-bulk-500.body", "Node", map[string]int{"M": 1, "C": 3}},
		{"state-nodedown-nodes.body", "Node", map[string]int{"M": 1, "C": 2, "C unknown": 1}},
		{"state-nodeoffline-nodes.body", "Node", map[string]int{"M": 1, "C": 2, "O unknown": 1}},
		{"groups-bulk.body", "Group", map[string]int{"preferred": 2}},
		{"networks-bulk.body", "Network", map[string]int{"10.99.64.0/20": 1, "10.99.80.0/20": 1}},
		{"jobs-bulk.body", "Job", map[string]int{"success": 49, "error": 3}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			got := map[string]int{}
			for _, raw := range itemsOf(t, file(t, tt.file)) {
				v, err := decoders[tt.decoder](raw)
				if err != nil {
					t.Fatalf("%s: %v", raw, err)
				}
				got[stateOf(v)]++
				if key, name := ganeti.Identify(raw); key == "" || name == "" {
					t.Errorf("Identify gives %q, %q", key, name)
				}
				if safe, err := builtIn.Storable(raw); err != nil || !bytes.Equal(safe, raw) {
					t.Errorf("Storable changes a recorded item: %v", err)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
		})
	}
}

func stateOf(v any) string {
	switch v := v.(type) {
	case ganeti.Instance:
		if strings.HasPrefix(v.Status, "ERROR_node") != (v.OperState == nil) {
			return fmt.Sprintf("%s with oper_state %v", v.Status, v.OperState)
		}
		return v.Status
	case ganeti.Node:
		if v.MemoryTotalMiB == nil {
			return v.Role + " unknown"
		}
		return v.Role
	case ganeti.Group:
		return v.AllocPolicy
	case ganeti.Network:
		return v.Network
	case ganeti.Job:
		return v.Status
	default:
		return ""
	}
}

// TestDecodeInstance_RecordedStates reads single answers in which runtime
// state and configuration disagree.
func TestDecodeInstance_RecordedStates(t *testing.T) {
	t.Parallel()
	zero := new(int64(0))
	tests := []struct {
		file, status, admin string
		oper                *bool
		ram, vcpus          *int64
	}{
		{"state-user-down.body", "USER_down", "up", new(true), zero, zero},
		{"state-kvm-guest-died.body", "ERROR_down", "up", new(false), nil, nil},
		{"state-instance-error-down.body", "ERROR_down", "up", new(false), nil, nil},
		{"state-nodedown-instance.body", "ERROR_nodedown", "up", nil, nil, nil},
		{"state-admin-offline.body", "ADMIN_offline", "offline", new(false), nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			v, err := ganeti.DecodeInstance(file(t, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			got := []any{v.Status, v.AdminState, v.OperState, v.OperRAM, v.OperVCPUs}
			if diff := cmp.Diff([]any{tt.status, tt.admin, tt.oper, tt.ram, tt.vcpus}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
