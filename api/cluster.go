package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ganeticache/db"
	"ganeticache/printable"
)

// Cluster is a Ganeti cluster. Somebody who is granted some of its VMs alone sees its name and the age of those.
type Cluster struct {
	Name            string          `json:"name"`
	Enabled         bool            `json:"enabled" doc:"Whether it is refreshed; the rows of a disabled one are frozen"`
	Whole           bool            `json:"whole" doc:"Whether the caller sees all of it; otherwise what follows is about VMs alone, without numbers"`
	ID              *int64          `json:"id,omitempty" doc:"The stable number of its row in the cache"`
	UUID            string          `json:"uuid,omitempty"`
	GanetiName      string          `json:"ganeti_name,omitempty" doc:"What it calls itself"`
	SoftwareVersion string          `json:"software_version,omitempty"`
	MasterNode      string          `json:"master_node,omitempty"`
	Tags            []string        `json:"tags,omitempty" nullable:"false"`
	Kinds           []ClusterKind   `json:"kinds" nullable:"false" doc:"What is cached of it"`
	RAPISeconds     *float64        `json:"rapi_seconds_per_hour,omitempty" doc:"How long its RAPI is kept busy to keep it fresh, by the newest answers and the times of the next"`
	RAPIBytes       *float64        `json:"rapi_bytes_per_hour,omitempty" doc:"How much its RAPI sends for that"`
	Quarantined     *int            `json:"quarantined,omitempty" doc:"How many items could not be understood and are kept aside"`
	Info            json.RawMessage `json:"info,omitempty" doc:"The cluster's info as Ganeti sent it; only of a single cluster"`
}

// ClusterKind is the state of one kind of object in a cluster.
type ClusterKind struct {
	Kind        string     `json:"kind" enum:"cluster,vm,node,group,network,job"`
	Objects     *int       `json:"objects,omitempty" doc:"How many there are"`
	AgeSeconds  *float64   `json:"age_seconds" doc:"Null when it was never fetched"`
	RefreshedAt *time.Time `json:"refreshed_at"`
	AttemptedAt *time.Time `json:"attempted_at"`
	NextDueAt   *time.Time `json:"next_due_at"`
	Failures    int        `json:"consecutive_failures"`
	Reason      string     `json:"reason,omitempty" doc:"A word for why the last attempt failed"`
	Error       string     `json:"error,omitempty" doc:"Why it failed, in a sentence"`
	Withheld    int        `json:"withheld_removals,omitempty" doc:"Removals that wait for an operator's approval"`
}

func showCluster(c db.ClusterStatus, whole, info bool, now time.Time) Cluster {
	out := Cluster{Name: c.Name, Enabled: c.Enabled, Whole: whole, Kinds: []ClusterKind{}}
	if whole {
		id, quarantined := c.ID, c.Quarantined
		out.ID, out.Quarantined, out.UUID, out.GanetiName = &id, &quarantined, c.UUID, c.GanetiName
		out.SoftwareVersion, out.MasterNode, out.Tags = c.SoftwareVersion, c.MasterNode, c.Tags
		load := c.Load()
		out.RAPISeconds, out.RAPIBytes = &load.SecondsPerHour, &load.BytesPerHour
		if info {
			out.Info = json.RawMessage(c.Info)
		}
	}
	for _, f := range c.Freshness {
		if whole || f.Kind == db.KindVM {
			out.Kinds = append(out.Kinds, showKind(c, f, whole, now))
		}
	}
	return out
}

func showKind(c db.ClusterStatus, f db.Freshness, whole bool, now time.Time) ClusterKind {
	k := ClusterKind{
		Kind: string(f.Kind), RefreshedAt: f.RefreshedAt, AttemptedAt: f.AttemptedAt, NextDueAt: f.NextDueAt,
		Failures: f.ConsecutiveFailures, Reason: f.ErrorReason,
	}
	if f.RefreshedAt != nil {
		seconds := max(0, now.Sub(*f.RefreshedAt).Round(time.Millisecond).Seconds())
		k.AgeSeconds = &seconds
	}
	if whole {
		n := c.Live[f.Kind]
		if f.Kind == db.KindCluster {
			n = 1
		}
		k.Objects, k.Withheld = &n, f.Pending.Count
		// Rows keep the words of whatever answered.
		k.Error = cut(printable.Text(f.Error))
	}
	return k
}

// Clusters is the answer of list-clusters. Each kind of each cluster has an age of its own.
type Clusters struct {
	Items []Cluster `json:"items" nullable:"false"`
}

type listClustersInput struct{ Conditional }

type clusterInput struct {
	Cluster string `path:"cluster" maxLength:"63" doc:"The cluster's name"`
	ReadInput
}

type refreshInput struct {
	Cluster string `path:"cluster" maxLength:"63" doc:"The cluster's name"`
}

func (s *service) clusterRoutes(a huma.API) {
	tags := []string{"Clusters"}
	register(s, a, huma.Operation{
		OperationID: "list-clusters", Method: http.MethodGet, Path: "/v1/clusters", Summary: "All clusters", Tags: tags,
		Description: "With the age and the last error of each kind. Ganeti is not asked.",
	}, s.quick, s.listClusters)
	register(s, a, huma.Operation{
		OperationID: "get-cluster", Method: http.MethodGet, Path: "/v1/clusters/{cluster}", Summary: "One cluster", Tags: tags,
		Description: "Its own facts are refreshed if they are too old.",
	}, s.patient, s.getCluster)
	register(s, a, huma.Operation{
		OperationID: "refresh-cluster", Method: http.MethodPost, Path: "/v1/clusters/{cluster}/refresh", Summary: "Refresh a cluster now",
		Tags: tags, Description: "Refreshes everything of it and answers with the outcome: 200 with ok false when Ganeti failed. " +
			"Requests that come while it runs share the outcome. Needs the scope refresh.",
	}, s.patient, s.refreshCluster)
}

func (s *service) listClusters(ctx context.Context, in *listClustersInput) (*output[Clusters], error) {
	body := Clusters{Items: []Cluster{}}
	seen, err := s.cache.VisibleClusters(ctx, callerOf(ctx).permitted())
	if err != nil {
		return nil, err
	}
	all, err := s.cache.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if whole, found := seen[c.Name]; found {
			body.Items = append(body.Items, showCluster(c, whole, false, s.now()))
		}
	}
	return respond(in.Conditional, body, Freshness{}, ageless(body.Items))
}

// ageless is what an ETag of clusters speaks of: the ages follow from the times, which stay.
func ageless(clusters []Cluster) []Cluster {
	out := make([]Cluster, len(clusters))
	for i, c := range clusters {
		kinds := make([]ClusterKind, len(c.Kinds))
		for j, k := range c.Kinds {
			k.AgeSeconds = nil
			kinds[j] = k
		}
		c.Kinds = kinds
		out[i] = c
	}
	return out
}

func (s *service) getCluster(ctx context.Context, in *clusterInput) (*output[One[Cluster]], error) {
	whole, err := s.seesCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	var status db.ClusterStatus
	return one(ctx, in.Conditional, in.Freshen, func(ctx context.Context, r Read) (Cached[db.Cluster], error) {
		c, err := s.cache.Cluster(ctx, in.Cluster, r)
		if err != nil {
			return c, err
		}
		status, err = s.status(ctx, in.Cluster)
		return c, err
	}, func(db.Cluster) (Cluster, any) {
		shown := showCluster(status, whole, true, s.now())
		return shown, ageless([]Cluster{shown})
	})
}

// seesCluster says whether the caller sees a cluster as a whole; one of which it sees nothing does not exist for it.
func (s *service) seesCluster(ctx context.Context, name string) (whole bool, err error) {
	seen, err := s.cache.VisibleClusters(ctx, callerOf(ctx).permitted())
	if err != nil {
		return false, err
	}
	whole, found := seen[name]
	if !found {
		return false, fmt.Errorf("cluster %w", db.ErrNotFound)
	}
	return whole, nil
}

func (s *service) status(ctx context.Context, name string) (db.ClusterStatus, error) {
	all, err := s.cache.Status(ctx)
	if err != nil {
		return db.ClusterStatus{}, err
	}
	for _, c := range all {
		if c.Name == name {
			return c, nil
		}
	}
	return db.ClusterStatus{}, fmt.Errorf("cluster %w", db.ErrNotFound)
}

// Refresh is the outcome of a refresh.
type Refresh struct {
	Cluster         string        `json:"cluster"`
	OK              bool          `json:"ok" doc:"Whether every kind is fresh now"`
	StartedAt       time.Time     `json:"started_at"`
	DurationSeconds float64       `json:"duration_seconds"`
	Kinds           []RefreshKind `json:"kinds" nullable:"false"`
	Error           string        `json:"error,omitempty" doc:"Why not, in a sentence"`
	Reason          string        `json:"reason,omitempty" doc:"A word for it"`
}

// RefreshKind is the outcome for one kind of object.
type RefreshKind struct {
	Kind        string `json:"kind" enum:"cluster,vm,node,group,network,job"`
	OK          bool   `json:"ok"`
	Objects     int    `json:"objects" doc:"In Ganeti's answer"`
	Created     int    `json:"created"`
	Updated     int    `json:"updated"`
	Renamed     int    `json:"renamed"`
	Removed     int    `json:"removed"`
	Restored    int    `json:"restored"`
	Quarantined int    `json:"quarantined" doc:"Items that could not be understood"`
	Error       string `json:"error,omitempty"`
	Reason      string `json:"reason,omitempty"`
}

// RefreshOutput is the answer of refresh-cluster.
type RefreshOutput struct {
	CacheControl string `header:"Cache-Control" hidden:"true"`
	Body         Refresh
}

func (s *service) refreshCluster(ctx context.Context, in *refreshInput) (*RefreshOutput, error) {
	who := callerOf(ctx)
	if !who.mayRefresh() {
		return nil, problem(http.StatusForbidden, "a refresh needs a token with the scope refresh")
	}
	whole, err := s.seesCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	res, err := s.cache.RefreshCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	res.Error = cut(printable.Text(res.Error))
	for i, k := range res.Kinds {
		res.Kinds[i].Error = cut(printable.Text(k.Error))
	}
	if !whole {
		// How much happened to VMs of others is not the caller's business, nor what the error names.
		res.Kinds, res.Error = []RefreshKind{}, ""
		if !res.OK {
			res.Error = "it could not be refreshed"
		}
	}
	return &RefreshOutput{CacheControl: "no-store", Body: res}, nil
}
