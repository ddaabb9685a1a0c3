package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ganeticache/db"
)

// Change is one entry of the log of changes.
type Change struct {
	Cursor     string                 `json:"cursor" doc:"The value of after that continues behind this entry"`
	Cluster    string                 `json:"cluster"`
	Kind       string                 `json:"kind" enum:"cluster,vm,node,group,network,job"`
	ObjectID   int64                  `json:"object_id" doc:"The id of the object"`
	UUID       string                 `json:"uuid"`
	Name       string                 `json:"name"`
	Op         string                 `json:"op" enum:"created,updated,renamed,removed,restored,purged"`
	Fields     map[string]FieldChange `json:"fields,omitempty" doc:"What changed: columns by name, and parts of info by JSON Pointer, such as /beparams/minmem"`
	ObservedAt time.Time              `json:"observed_at" doc:"When the request to Ganeti began whose answer showed it"`
	RecordedAt time.Time              `json:"recorded_at" doc:"When the entry was written, by the database's clock. It never decreases with the cursor"`
	Object     json.RawMessage        `json:"object,omitempty" doc:"The whole row as it was before it was removed or purged"`
}

// FieldChange is one field's old and new value.
type FieldChange struct {
	Old any `json:"old" required:"false" doc:"The value of before; not there where a part of info was not"`
	New any `json:"new" required:"false" doc:"The value since; not there where a part of info is no more"`
}

// MarshalJSON leaves out what is absent.
func (f FieldChange) MarshalJSON() ([]byte, error) { return json.Marshal(db.FieldChange(f)) }

// Changes is the answer of list-changes.
type Changes struct {
	Items []Change `json:"items" nullable:"false"`
	Next  string   `json:"next" doc:"The value of after for the next request"`
}

const (
	opChanges = "list-changes"
	// maxWait is the longest wait for a change.
	maxWait = 60 * time.Second
	// latest is the cursor behind everything that has happened.
	latest = "latest"
)

type changesInput struct {
	After   string `query:"after" maxLength:"128" default:"0" doc:"The next, or the cursor of an entry, of an answer before. 0 is the oldest entry kept, latest the end at this moment"`
	Wait    string `query:"wait" maxLength:"20" example:"30s" doc:"How long to wait for a change if there is none yet, up to 60s"`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most entries to return"`
	Kind    string `query:"kind" enum:"cluster,vm,node,group,network,job"`
	Cluster string `query:"cluster" maxLength:"63" doc:"The name of a cluster"`
	Object  string `query:"object" maxLength:"255" doc:"The name or uuid of an object; its history is there under all of its names"`
}

// ChangesOutput is the answer of list-changes.
type ChangesOutput struct {
	CacheControl string `header:"Cache-Control" hidden:"true"`
	Body         Changes
}

func (s *service) changeRoutes(a huma.API) {
	register(s, a, huma.Operation{
		OperationID: opChanges, Method: http.MethodGet, Path: "/v1/changes", Summary: "What has changed", Tags: []string{"Changes"},
		Description: "Everything since the cursor, in order, none missed and none twice. With wait it answers as soon as there is " +
			"something, else with an empty list after that time. Ask again with after set to next. 410 says that the log does not go on behind the cursor: " +
			"what follows is not kept any more, or the database was restored.",
	}, nil, s.listChanges)
}

func (s *service) listChanges(ctx context.Context, in *changesInput) (*ChangesOutput, error) {
	who := callerOf(ctx)
	wait, err := parseWait(in.Wait)
	if err != nil {
		return nil, err
	}
	f := db.ChangeFilter{
		Kind: db.Kind(in.Kind), Cluster: in.Cluster, Object: in.Object, Limit: in.Limit, Permitted: who.permitted(),
	}
	if in.After == latest {
		if f.After, err = s.cache.LastChange(ctx); err != nil {
			return nil, err
		}
	} else {
		from, ok := s.cursors.decode(who, in.After)
		if !ok {
			return nil, invalid("query.after", "it is no cursor of yours: take next of an answer, 0 for the beginning or latest for the end")
		}
		f.After, f.Epoch = from.id, from.epoch
	}
	found, next, err := s.changes(ctx, f, wait)
	if gone, ok := errors.AsType[*db.CursorGoneError](err); ok {
		return nil, s.gone(ctx, who, gone)
	}
	if err != nil {
		return nil, asProblem(err)
	}
	first := next
	if len(found) > 0 {
		first = found[0].ID
	}
	epochs, err := s.cache.ChangeEpochs(ctx, first, next)
	if err != nil {
		return nil, err
	}
	cursor := func(id int64) string { return s.cursors.encode(who, position{id, epochs.Of(id)}) }
	body := Changes{Items: make([]Change, 0, len(found)), Next: cursor(next)}
	for _, c := range found {
		body.Items = append(body.Items, showChange(c, cursor(c.ID)))
	}
	return &ChangesOutput{CacheControl: "no-store", Body: body}, nil
}

func parseWait(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := parseAge(text)
	if err != nil || d > maxWait {
		return 0, invalid("query.wait", "write a duration of up to %s, such as 30s", maxWait)
	}
	return d, nil
}

// changes gives the entries after a position, waiting for some if need be, and the position behind them.
func (s *service) changes(ctx context.Context, f db.ChangeFilter, wait time.Duration) ([]db.Change, int64, error) {
	found, next, err := s.look(ctx, f)
	if err != nil || len(found) > 0 || wait == 0 {
		return found, next, err
	}
	name := callerOf(ctx).name
	if err := s.watch.enter(name); errors.Is(err, errTooManyWaiters) { //nolint:contextcheck // the asking serves other requests, too
		return nil, 0, retryLater(http.StatusTooManyRequests, slowDown, "too many requests wait for changes already")
	}
	defer s.watch.leave(name)
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	told := int64(-1)
	for len(found) == 0 {
		var news bool
		if told, news = s.watch.wait(waiting, next, told); !news {
			break
		}
		// The epoch of the way up to here was looked at when the request came.
		f.After, f.Epoch = next, ""
		if found, next, err = s.look(ctx, f); err != nil {
			return nil, 0, err
		}
	}
	return found, next, nil
}

// look asks once. The newest change is read first: ids become visible in ascending order, so whatever is not found up to
// that one is not for the caller, and the next look may begin behind it.
func (s *service) look(ctx context.Context, f db.ChangeFilter) ([]db.Change, int64, error) {
	if err := s.quick.take(ctx); err != nil {
		return nil, 0, err
	}
	defer s.quick.free()
	newest, err := s.cache.LastChange(ctx)
	if err != nil {
		return nil, 0, err
	}
	found, err := s.cache.ChangesAfter(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	if len(found) == f.Limit {
		return found, found[len(found)-1].ID, nil
	}
	next := max(f.After, newest)
	if n := len(found); n > 0 {
		next = max(next, found[n-1].ID)
	}
	return found, next, nil
}

// goneProblem is the answer to a cursor from which the log cannot be read on.
type goneProblem struct { //nolint:errname // the problems of this package are named so
	huma.ErrorModel
	Oldest string `json:"oldest" doc:"The cursor of the oldest entry that is kept; after=0 begins with that one"`
}

// gone tells a reader that it has to begin again. Nothing of it says how much happened that the caller may not see.
func (s *service) gone(ctx context.Context, who caller, e *db.CursorGoneError) error {
	epochs, err := s.cache.ChangeEpochs(ctx, e.Oldest, e.Oldest)
	if err != nil {
		return err
	}
	why := e.Why
	if who.restricted() {
		why = "what comes behind it is not kept any more, or was undone by a restore"
	}
	p := problem(http.StatusGone, "the log of changes does not go on behind this cursor: %s; read the lists anew, and begin with after=0, "+
		"the oldest entry kept, or with after=latest", why)
	model, ok := p.(*huma.ErrorModel)
	if !ok {
		return p
	}
	return &goneProblem{*model, s.cursors.encode(who, position{e.Oldest, epochs.Of(e.Oldest)})}
}

func showChange(c db.Change, cursor string) Change {
	out := Change{
		Cursor: cursor, Cluster: c.Cluster, Kind: string(c.Kind), ObjectID: c.ObjectID, UUID: c.UUID,
		Name: c.Name, Op: string(c.Op), ObservedAt: c.ObservedAt, RecordedAt: c.RecordedAt, Object: json.RawMessage(c.Object),
	}
	if len(c.Fields) > 0 {
		out.Fields = make(map[string]FieldChange, len(c.Fields))
		for name, f := range c.Fields {
			out.Fields[name] = FieldChange(f)
		}
	}
	return out
}
