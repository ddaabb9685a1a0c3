package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ganeticache/db"
)

// Node is a host of a cluster.
type Node struct {
	Object
	Role               string     `json:"role" doc:"M (master), C (candidate), R (regular), D (drained) or O (offline)"`
	Offline            *bool      `json:"offline"`
	Drained            *bool      `json:"drained"`
	MasterCandidate    *bool      `json:"master_candidate"`
	MasterCapable      *bool      `json:"master_capable"`
	VMCapable          *bool      `json:"vm_capable"`
	GroupUUID          string     `json:"group_uuid"`
	PrimaryIP          string     `json:"primary_ip"`
	SecondaryIP        string     `json:"secondary_ip"`
	MemoryTotalMiB     *int64     `json:"memory_total_mib" doc:"Null while the node does not answer, like the other sizes"`
	MemoryFreeMiB      *int64     `json:"memory_free_mib"`
	MemoryNodeMiB      *int64     `json:"memory_node_mib" doc:"What the node itself uses"`
	DiskTotalMiB       *int64     `json:"disk_total_mib"`
	DiskFreeMiB        *int64     `json:"disk_free_mib"`
	CPUs               *int64     `json:"cpus"`
	CPUSockets         *int64     `json:"cpu_sockets"`
	CPUNodes           *int64     `json:"cpu_nodes"`
	CPUsReserved       *int64     `json:"cpus_reserved" doc:"Kept for the node itself"`
	PrimaryInstances   *int64     `json:"primary_instances"`
	SecondaryInstances *int64     `json:"secondary_instances"`
	Tags               []string   `json:"tags" nullable:"false"`
	SerialNo           *int64     `json:"serial_no"`
	CTime              *time.Time `json:"ctime"`
	MTime              *time.Time `json:"mtime"`
	Times
}

func showNode(n db.NodeView) Node {
	return Node{
		Object: object(n.Object, n.Cluster), Role: n.Role, Offline: n.Offline, Drained: n.Drained,
		MasterCandidate: n.MasterCandidate, MasterCapable: n.MasterCapable, VMCapable: n.VMCapable, GroupUUID: n.GroupUUID,
		PrimaryIP: n.PrimaryIP, SecondaryIP: n.SecondaryIP, MemoryTotalMiB: n.MemoryTotalMiB, MemoryFreeMiB: n.MemoryFreeMiB,
		MemoryNodeMiB: n.MemoryNodeMiB, DiskTotalMiB: n.DiskTotalMiB, DiskFreeMiB: n.DiskFreeMiB, CPUs: n.CPUs,
		CPUSockets: n.CPUSockets, CPUNodes: n.CPUNodes, CPUsReserved: n.CPUsReserved, PrimaryInstances: n.PrimaryInstances,
		SecondaryInstances: n.SecondaryInstances, Tags: texts(n.Tags), SerialNo: n.SerialNo, CTime: n.CTime, MTime: n.MTime,
		Times: times(n.Object, n.CachedAt),
	}
}

type listNodesInput struct {
	CommonInput
	TagInput
	Role        []string `query:"role,explode" maxItems:"10" nullable:"false" doc:"M, C, R, D and O, or master, candidate, regular, drained and offline; any of them"`
	Group       string   `query:"group" maxLength:"255" doc:"The name or uuid of a node group"`
	IP          string   `query:"ip" maxLength:"64" doc:"The primary or the secondary one"`
	MemoryTotal string   `query:"memory_total" maxLength:"64" example:"64G.." doc:"N, N.., ..N or N..M, in MiB unless it says K, M, G or T"`
	MemoryFree  string   `query:"memory_free" maxLength:"64" doc:"Like memory_total"`
	DiskTotal   string   `query:"disk_total" maxLength:"64" doc:"Like memory_total"`
	DiskFree    string   `query:"disk_free" maxLength:"64" doc:"Like memory_total"`
	CPUs        string   `query:"cpus" maxLength:"64" example:"16.." doc:"N, N.., ..N or N..M"`
	PageInput
	ReadInput
}

// ofClusters says who sees what belongs to a cluster as a whole.
const ofClusters = "Without the scope admin only those of clusters that are granted as a whole are there."

func (s *service) nodeRoutes(a huma.API) {
	register(s, a, huma.Operation{
		OperationID: "list-nodes", Method: http.MethodGet, Path: "/v1/nodes", Summary: "Find nodes", Tags: []string{"Nodes"},
		Description: ofClusters,
	}, s.patient, s.listNodes)
	register(s, a, huma.Operation{
		OperationID: "get-node", Method: http.MethodGet, Path: "/v1/nodes/{cluster}/{name}", Summary: "One node", Tags: []string{"Nodes"},
		Description: ofClusters,
	}, s.patient, func(ctx context.Context, in *ObjectInput) (*output[One[Node]], error) {
		return one(ctx, in.Conditional, in.Freshen, func(ctx context.Context, r Read) (Cached[db.NodeView], error) {
			return s.cache.Node(ctx, in.ref(ctx), r)
		}, itself(showNode))
	})
}

func (s *service) listNodes(ctx context.Context, in *listNodesInput) (*output[List[Node]], error) {
	f := db.NodeFilter{
		Name: in.Name, Roles: in.Role, Group: in.Group, IP: in.IP, Tags: in.Tag, TagPrefixes: in.TagPrefix,
		Tombstones: tombstones(in.Deleted), Permitted: callerOf(ctx).permitted(), WithInfo: in.Info,
		Sort: in.Sort, Descending: in.Descending, Limit: in.Limit, After: in.After,
	}
	var err error
	if f.ChangedSince, err = s.since(in.ChangedSince); err != nil {
		return nil, err
	}
	err = parseRanges(
		rangeOf{"memory_total", in.MemoryTotal, db.MiB, &f.MemoryTotal},
		rangeOf{"memory_free", in.MemoryFree, db.MiB, &f.MemoryFree},
		rangeOf{"disk_total", in.DiskTotal, db.MiB, &f.DiskTotal},
		rangeOf{"disk_free", in.DiskFree, db.MiB, &f.DiskFree},
		rangeOf{"cpus", in.CPUs, db.Pieces, &f.CPUs},
	)
	if err != nil {
		return nil, err
	}
	return listOf(ctx, s, in.list(in.Cluster, in.After), true, f,
		func(ctx context.Context, clusters []string, r Read) (Cached[db.Page[db.NodeView]], error) {
			f.Clusters = clusters
			return s.cache.Nodes(ctx, f, r)
		}, showNode)
}
