package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ganeticache/db"
)

// Group is a node group.
type Group struct {
	Object
	AllocPolicy string     `json:"alloc_policy"`
	NodeCount   *int64     `json:"node_count"`
	Nodes       []string   `json:"nodes" nullable:"false" doc:"Names of the members"`
	Tags        []string   `json:"tags" nullable:"false"`
	SerialNo    *int64     `json:"serial_no"`
	CTime       *time.Time `json:"ctime"`
	MTime       *time.Time `json:"mtime"`
	Times
}

func showGroup(g db.GroupView) Group {
	return Group{
		Object: object(g.Object, g.Cluster), AllocPolicy: g.AllocPolicy, NodeCount: g.NodeCount, Nodes: texts(g.Nodes),
		Tags: texts(g.Tags), SerialNo: g.SerialNo, CTime: g.CTime, MTime: g.MTime, Times: times(g.Object, g.CachedAt),
	}
}

type listGroupsInput struct {
	CommonInput
	TagInput
	Node string `query:"node" maxLength:"255" doc:"The name of a member"`
	PageInput
	ReadInput
}

func (s *service) groupRoutes(a huma.API) {
	register(s, a, huma.Operation{
		OperationID: "list-groups", Method: http.MethodGet, Path: "/v1/groups", Summary: "Find node groups", Tags: []string{"Nodes"},
		Description: ofClusters,
	}, s.patient, s.listGroups)
	register(s, a, huma.Operation{
		OperationID: "get-group", Method: http.MethodGet, Path: "/v1/groups/{cluster}/{name}", Summary: "One node group",
		Tags: []string{"Nodes"}, Description: ofClusters,
	}, s.patient, func(ctx context.Context, in *ObjectInput) (*output[One[Group]], error) {
		return one(ctx, in.Conditional, in.Freshen, func(ctx context.Context, r Read) (Cached[db.GroupView], error) {
			return s.cache.Group(ctx, in.ref(ctx), r)
		}, itself(showGroup))
	})
}

func (s *service) listGroups(ctx context.Context, in *listGroupsInput) (*output[List[Group]], error) {
	f := db.GroupFilter{
		Name: in.Name, Node: in.Node, Tags: in.Tag, TagPrefixes: in.TagPrefix, Tombstones: tombstones(in.Deleted),
		Permitted: callerOf(ctx).permitted(), WithInfo: in.Info,
		Sort: in.Sort, Descending: in.Descending, Limit: in.Limit, After: in.After,
	}
	var err error
	if f.ChangedSince, err = s.since(in.ChangedSince); err != nil {
		return nil, err
	}
	return listOf(ctx, s, in.list(in.Cluster, in.After), true, f,
		func(ctx context.Context, clusters []string, r Read) (Cached[db.Page[db.GroupView]], error) {
			f.Clusters = clusters
			return s.cache.Groups(ctx, f, r)
		}, showGroup)
}
