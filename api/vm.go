package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ganeticache/db"
)

// Object is what every cached object has. Names are those of the SQL columns.
type Object struct {
	ID      int64  `json:"id" doc:"The stable number of the row in the cache"`
	Cluster string `json:"cluster" doc:"The cluster's name"`
	UUID    string `json:"uuid" doc:"Ganeti's identity of the object within its cluster"`
	Name    string `json:"name" doc:"Ganeti's name of the object; it may change"`
}

// Times are what every cached object has at its end.
type Times struct {
	CachedAt  *time.Time      `json:"cached_at" doc:"As of when this row is true"`
	DeletedAt *time.Time      `json:"deleted_at,omitempty" doc:"When it was found to be gone from Ganeti; absent while it is there"`
	Info      json.RawMessage `json:"info,omitempty" doc:"The whole object as Ganeti sent it"`
}

// VM is a virtual machine.
type VM struct {
	Object
	Status         string     `json:"status" doc:"Ganeti's status, such as running, ADMIN_down or ERROR_nodedown"`
	AdminState     string     `json:"admin_state" doc:"What it is meant to be: up, down or offline"`
	OperState      *bool      `json:"oper_state" doc:"Whether the hypervisor runs it; null when the node did not answer"`
	PrimaryNode    string     `json:"primary_node"`
	SecondaryNodes []string   `json:"secondary_nodes" nullable:"false"`
	OS             string     `json:"os"`
	DiskTemplate   string     `json:"disk_template"`
	VCPUs          *int64     `json:"vcpus"`
	MemoryMiB      *int64     `json:"memory_mib" doc:"The configured maximum"`
	OperMemoryMiB  *int64     `json:"oper_memory_mib" doc:"What the hypervisor reports"`
	DiskMiB        *int64     `json:"disk_mib" doc:"All disks together"`
	NICIPs         []string   `json:"nic_ips" nullable:"false" doc:"One for each NIC, empty where it has none, like the other nic lists"`
	NICMACs        []string   `json:"nic_macs" nullable:"false"`
	NICLinks       []string   `json:"nic_links" nullable:"false"`
	NICNetworks    []string   `json:"nic_networks" nullable:"false"`
	NetworkPort    *int64     `json:"network_port" doc:"Of the console"`
	Tags           []string   `json:"tags" nullable:"false"`
	SerialNo       *int64     `json:"serial_no"`
	CTime          *time.Time `json:"ctime"`
	MTime          *time.Time `json:"mtime"`
	Times
}

// dropAge takes out what says how old the row is: an ETag does not speak of that.
func (t *Times) dropAge() { t.CachedAt = nil }

func object(o db.Object, cluster string) Object {
	return Object{ID: o.ID, Cluster: cluster, UUID: o.UUID, Name: o.Name}
}

func times(o db.Object, cachedAt *time.Time) Times {
	return Times{CachedAt: cachedAt, DeletedAt: o.DeletedAt, Info: json.RawMessage(o.Info)}
}

// texts is a list that is never null.
func texts(l db.List) []string {
	if l == nil {
		return []string{}
	}
	return l
}

func showVM(v db.VMView) VM {
	return VM{
		Object: object(v.Object, v.Cluster), Status: v.Status, AdminState: v.AdminState, OperState: v.OperState,
		PrimaryNode: v.PrimaryNode, SecondaryNodes: texts(v.SecondaryNodes), OS: v.OS, DiskTemplate: v.DiskTemplate,
		VCPUs: v.VCPUs, MemoryMiB: v.MemoryMiB, OperMemoryMiB: v.OperMemoryMiB, DiskMiB: v.DiskMiB,
		NICIPs: texts(v.NICIPs), NICMACs: texts(v.NICMACs), NICLinks: texts(v.NICLinks), NICNetworks: texts(v.NICNetworks),
		NetworkPort: v.NetworkPort, Tags: texts(v.Tags), SerialNo: v.SerialNo, CTime: v.CTime, MTime: v.MTime,
		Times: times(v.Object, v.CachedAt),
	}
}

// VMFilterInput are the filters of VMs.
type VMFilterInput struct {
	CommonInput
	TagInput
	Status        []string `query:"status,explode" maxItems:"100" nullable:"false" doc:"Ganeti's statuses, or the groups running, down and error; any of them"`
	Node          string   `query:"node" maxLength:"255" doc:"A primary or secondary node"`
	PrimaryNode   string   `query:"primary_node" maxLength:"255"`
	SecondaryNode string   `query:"secondary_node" maxLength:"255"`
	OS            string   `query:"os" maxLength:"255"`
	DiskTemplate  string   `query:"disk_template" maxLength:"255"`
	IP            string   `query:"ip" maxLength:"64" doc:"Of any of its NICs, like mac and network"`
	MAC           string   `query:"mac" maxLength:"64"`
	Network       string   `query:"network" maxLength:"255"`
	Memory        string   `query:"memory" maxLength:"64" example:"4G..16G" doc:"N, N.., ..N or N..M, in MiB unless it says K, M, G or T"`
	VCPUs         string   `query:"vcpus" maxLength:"64" example:"2..8" doc:"N, N.., ..N or N..M"`
	Disk          string   `query:"disk" maxLength:"64" example:"100G.." doc:"Like memory"`
}

func (s *service) vmFilter(ctx context.Context, in VMFilterInput) (f db.VMFilter, err error) {
	f = db.VMFilter{
		Statuses: in.Status, Name: in.Name, Node: in.Node, PrimaryNode: in.PrimaryNode, SecondaryNode: in.SecondaryNode,
		OS: in.OS, DiskTemplate: in.DiskTemplate, Tags: in.Tag, TagPrefixes: in.TagPrefix, IP: in.IP, MAC: in.MAC,
		Network: in.Network, Tombstones: tombstones(in.Deleted), Permitted: callerOf(ctx).permitted(), WithInfo: in.Info,
	}
	if f.ChangedSince, err = s.since(in.ChangedSince); err != nil {
		return f, err
	}
	err = parseRanges(
		rangeOf{"memory", in.Memory, db.MiB, &f.Memory},
		rangeOf{"vcpus", in.VCPUs, db.Pieces, &f.VCPUs},
		rangeOf{"disk", in.Disk, db.MiB, &f.Disk},
	)
	return f, err
}

type listVMsInput struct {
	VMFilterInput
	PageInput
	ReadInput
}

func (s *service) vmRoutes(a huma.API) {
	register(s, a, huma.Operation{
		OperationID: "list-vms", Method: http.MethodGet, Path: "/v1/vms", Summary: "Find VMs", Tags: []string{"VMs"},
		Description: "Filters narrow each other. What is too old is refreshed by one bulk call for each cluster.",
	}, s.patient, s.listVMs)
	register(s, a, huma.Operation{
		OperationID: "get-vm", Method: http.MethodGet, Path: "/v1/vms/{cluster}/{name}", Summary: "One VM", Tags: []string{"VMs"},
		Description: "If it is too old, it is refreshed by one call for this VM alone.",
	}, s.patient, func(ctx context.Context, in *ObjectInput) (*output[One[VM]], error) {
		return one(ctx, in.Conditional, in.Freshen, func(ctx context.Context, r Read) (Cached[db.VMView], error) {
			return s.cache.VM(ctx, in.ref(ctx), callerOf(ctx).permitted(), r)
		}, itself(showVM))
	})
	register(s, a, huma.Operation{
		OperationID: "sum-vms", Method: http.MethodGet, Path: "/v1/sums", Summary: "Count VMs and add up what they use",
		Tags: []string{"VMs"}, Description: "The filters are those of the list of VMs. The cache answers; Ganeti is not asked.",
	}, s.quick, s.sumVMs)
}

func (s *service) listVMs(ctx context.Context, in *listVMsInput) (*output[List[VM]], error) {
	f, err := s.vmFilter(ctx, in.VMFilterInput)
	if err != nil {
		return nil, err
	}
	f.Sort, f.Descending, f.Limit, f.After = in.Sort, in.Descending, in.Limit, in.After
	return listOf(ctx, s, in.list(in.Cluster, in.After), false, f,
		func(ctx context.Context, clusters []string, r Read) (Cached[db.Page[db.VMView]], error) {
			f.Clusters = clusters
			return s.cache.VMs(ctx, f, r)
		}, showVM)
}

// Sum is what the VMs of one group have together.
type Sum struct {
	Key       string `json:"key" doc:"The group: a cluster, node, OS, tag or status"`
	VMs       int64  `json:"vms"`
	VCPUs     int64  `json:"vcpus"`
	MemoryMiB int64  `json:"memory_mib"`
	DiskMiB   int64  `json:"disk_mib"`
}

// Sums is the answer of sum-vms.
type Sums struct {
	Items []Sum `json:"items" nullable:"false"`
	Warned
}

type sumVMsInput struct {
	VMFilterInput
	Conditional
	By string `query:"by" enum:"cluster,node,os,tag,status,total" default:"cluster" doc:"What to group by. A VM with several tags counts in each of their groups"`
}

func (s *service) sumVMs(ctx context.Context, in *sumVMsInput) (*output[Sums], error) {
	f, err := s.vmFilter(ctx, in.VMFilterInput)
	if err != nil {
		return nil, err
	}
	body := Sums{Items: []Sum{}}
	clusters, some, doubts, err := s.within(ctx, in.Cluster, false)
	if err != nil {
		return nil, err
	}
	if some {
		f.Clusters = clusters
		by := db.SumBy(in.By)
		if in.By == "total" {
			by = db.SumTotal
		}
		sums, err := s.cache.SumVMs(ctx, f, by)
		if err != nil {
			return nil, asProblem(err)
		}
		for _, sum := range sums {
			body.Items = append(body.Items, Sum(sum))
		}
	}
	empty := !slices.ContainsFunc(body.Items, func(sum Sum) bool { return sum.VMs > 0 })
	if body.Warnings, err = s.warnings(ctx, doubts, f, some && empty); err != nil {
		return nil, err
	}
	return respond(in.Conditional, body, Freshness{}, body)
}
