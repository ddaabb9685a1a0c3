package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ganeticache/db"
)

// Job is a job of Ganeti. Its uuid is the job's number as text, its name the first line of the summary.
type Job struct {
	Object
	Status     string     `json:"status" doc:"queued, waiting, canceling, running, canceled, success or error"`
	Summary    []string   `json:"summary" nullable:"false"`
	ReceivedAt *time.Time `json:"received_at"`
	StartedAt  *time.Time `json:"started_at"`
	EndedAt    *time.Time `json:"ended_at"`
	Times
}

func showJob(j db.JobView) Job {
	return Job{
		Object: object(j.Object, j.Cluster), Status: j.Status, Summary: texts(j.Summary),
		ReceivedAt: j.ReceivedAt, StartedAt: j.StartedAt, EndedAt: j.EndedAt, Times: times(j.Object, j.CachedAt),
	}
}

// Jobs is a page of jobs. Their age is that of each row: jobs are not refreshed for a reader.
type Jobs struct {
	Items []Job  `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"The value of after for the next page; absent on the last page"`
	Warned
}

type listJobsInput struct {
	CommonInput
	Status []string `query:"status,explode" maxItems:"100" nullable:"false" doc:"Any of them"`
	PageInput
	Conditional
}

func (s *service) jobRoutes(a huma.API) {
	register(s, a, huma.Operation{
		OperationID: "list-jobs", Method: http.MethodGet, Path: "/v1/jobs", Summary: "Find jobs", Tags: []string{"Jobs"},
		Description: "Jobs are cached where the operator gave them a schedule. The cache answers; Ganeti is not asked. " + ofClusters,
	}, s.quick, s.listJobs)
}

func (s *service) listJobs(ctx context.Context, in *listJobsInput) (*output[Jobs], error) {
	f := db.JobFilter{
		Name: in.Name, Statuses: in.Status, Tombstones: tombstones(in.Deleted), Permitted: callerOf(ctx).permitted(),
		WithInfo: in.Info, Sort: in.Sort, Descending: in.Descending, Limit: in.Limit, After: in.After,
	}
	var err error
	if f.ChangedSince, err = s.since(in.ChangedSince); err != nil {
		return nil, err
	}
	body := Jobs{Items: []Job{}}
	clusters, some, doubts, err := s.within(ctx, in.Cluster, true)
	if err != nil {
		return nil, err
	}
	if some {
		f.Clusters = clusters
		remarks, err := s.cache.JobsNotCached(ctx, clusters)
		if err != nil {
			return nil, err
		}
		doubts = append(doubts, remarks...)
		page, err := s.cache.SearchJobs(ctx, f)
		if err != nil {
			return nil, asProblem(err)
		}
		body.Next = page.Next
		for _, j := range page.Items {
			body.Items = append(body.Items, showJob(j))
		}
	}
	if body.Warnings, err = s.warnings(ctx, doubts, f, some && in.After == "" && len(body.Items) == 0); err != nil {
		return nil, err
	}
	return respond(in.Conditional, body, Freshness{}, []any{withoutAge(body.Items), body.Next, body.Warnings})
}
