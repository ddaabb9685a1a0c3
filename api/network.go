package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ganeticache/db"
)

// Network is a network that Ganeti manages.
type Network struct {
	Object
	Network       string     `json:"network" doc:"The IPv4 network, such as 192.0.2.0/24"`
	Gateway       string     `json:"gateway"`
	Network6      string     `json:"network6"`
	Gateway6      string     `json:"gateway6"`
	MACPrefix     string     `json:"mac_prefix"`
	FreeCount     *int64     `json:"free_count" doc:"Addresses that are free"`
	ReservedCount *int64     `json:"reserved_count"`
	Tags          []string   `json:"tags" nullable:"false"`
	SerialNo      *int64     `json:"serial_no"`
	CTime         *time.Time `json:"ctime"`
	MTime         *time.Time `json:"mtime"`
	Times
}

func showNetwork(n db.NetworkView) Network {
	return Network{
		Object: object(n.Object, n.Cluster), Network: n.Network.Network, Gateway: n.Gateway, Network6: n.Network6,
		Gateway6: n.Gateway6, MACPrefix: n.MACPrefix, FreeCount: n.FreeCount, ReservedCount: n.ReservedCount,
		Tags: texts(n.Tags), SerialNo: n.SerialNo, CTime: n.CTime, MTime: n.MTime, Times: times(n.Object, n.CachedAt),
	}
}

type listNetworksInput struct {
	CommonInput
	TagInput
	PageInput
	ReadInput
}

func (s *service) networkRoutes(a huma.API) {
	register(s, a, huma.Operation{
		OperationID: "list-networks", Method: http.MethodGet, Path: "/v1/networks", Summary: "Find networks",
		Tags: []string{"Networks"}, Description: ofClusters,
	}, s.patient, s.listNetworks)
	register(s, a, huma.Operation{
		OperationID: "get-network", Method: http.MethodGet, Path: "/v1/networks/{cluster}/{name}", Summary: "One network",
		Tags: []string{"Networks"}, Description: ofClusters,
	}, s.patient, func(ctx context.Context, in *ObjectInput) (*output[One[Network]], error) {
		return one(ctx, in.Conditional, in.Freshen, func(ctx context.Context, r Read) (Cached[db.NetworkView], error) {
			return s.cache.Network(ctx, in.ref(ctx), r)
		}, itself(showNetwork))
	})
}

func (s *service) listNetworks(ctx context.Context, in *listNetworksInput) (*output[List[Network]], error) {
	f := db.NetworkFilter{
		Name: in.Name, Tags: in.Tag, TagPrefixes: in.TagPrefix, Tombstones: tombstones(in.Deleted),
		Permitted: callerOf(ctx).permitted(), WithInfo: in.Info,
		Sort: in.Sort, Descending: in.Descending, Limit: in.Limit, After: in.After,
	}
	var err error
	if f.ChangedSince, err = s.since(in.ChangedSince); err != nil {
		return nil, err
	}
	return listOf(ctx, s, in.list(in.Cluster, in.After), true, f,
		func(ctx context.Context, clusters []string, r Read) (Cached[db.Page[db.NetworkView]], error) {
			f.Clusters = clusters
			return s.cache.Networks(ctx, f, r)
		}, showNetwork)
}
