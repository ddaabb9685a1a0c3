package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"go.uber.org/zap"
)

// service answers the operations of the read API.
type service struct {
	cache   Cache
	log     *zap.Logger
	now     func() time.Time
	watch   *watcher
	cursors *cursors
	// quick bounds the operations that only ask the database, which has other work to do; patient those that may wait for
	// Ganeti, so that a cluster that hangs keeps nobody from what is cached.
	quick, patient slots
}

// slots is a right to work that there are only so many of.
type slots chan struct{}

const (
	maxQuick   = 16
	maxPatient = 256
)

func newService(o Options) (*service, error) {
	c, err := newCursors(o.Secret)
	if err != nil {
		return nil, err
	}
	return &service{
		cache: o.Cache, log: o.Logger, now: o.Now, cursors: c, quick: make(slots, maxQuick), patient: make(slots, maxPatient),
		watch: newWatcher(o.Cache.LastChange, o.WatchEvery, o.Logger),
	}, nil
}

// routes adds the operations, and the document that describes them.
func (s *service) routes(mux *http.ServeMux, version string, tokens bool) error {
	a := humago.New(mux, humaConfig(version, tokens))
	s.vmRoutes(a)
	s.nodeRoutes(a)
	s.groupRoutes(a)
	s.networkRoutes(a)
	s.jobRoutes(a)
	s.clusterRoutes(a)
	s.changeRoutes(a)
	full, err := json.Marshal(a.OpenAPI())
	if err != nil {
		return fmt.Errorf("writing the OpenAPI document: %w", err)
	}
	// Many generators of clients know no 3.1 yet.
	older, err := a.OpenAPI().Downgrade()
	if err != nil {
		return fmt.Errorf("writing the OpenAPI document as version 3.0: %w", err)
	}
	mux.HandleFunc("GET /v1/openapi.json", document(full))
	mux.HandleFunc("GET /v1/openapi-3.0.json", document(older))
	return nil
}

func document(text []byte) http.HandlerFunc {
	tag := etag(text)
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "no-cache")
		if matches(r.Header.Get("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/openapi+json")
		// The client may have left; there is nobody to tell.
		w.Write(text) //nolint:errcheck,gosec // see above
	}
}

const description = `What is cached of the Ganeti clusters. Every answer says as of when it is true; what is older than ` +
	`max_age (10 minutes unless given) is refreshed first, and when that fails the old data comes with the error beside it. ` +
	`Errors are problem documents (RFC 9457).`

func humaConfig(version string, tokens bool) huma.Config {
	c := huma.DefaultConfig("Ganeti Cache Updater", version)
	c.Info.Description = description
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	// The document is served by us; pages that load scripts from elsewhere and links to schemas are not served at all.
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil
	c.Transformers = []huma.Transformer{cleanProblems}
	c.Formats = map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()} // the second is that of problem+json
	c.RejectUnknownQueryParameters = true
	c.AllowAdditionalPropertiesByDefault = true // answers may grow
	c.Servers = []*huma.Server{{URL: "/", Description: "Where this document was found"}}
	c.Security = []map[string][]string{{}} // nothing is asked for
	if tokens {
		c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
			"token": {Type: "http", Scheme: "bearer", Description: "A token that the operator made with `updater token new`."},
		}
		c.Security = []map[string][]string{{"token": {}}}
	}
	return c
}

type operationKey struct{}

func operationOf(ctx context.Context) string {
	id, _ := ctx.Value(operationKey{}).(string)
	return id
}

// register adds an operation. Its handler's errors become problems. It has one of the slots while it works; nil slots are
// for one that takes its own.
func register[I, O any](s *service, a huma.API, op huma.Operation, work slots, handle func(context.Context, *I) (*O, error)) {
	addProblem(a, &op)
	op.Middlewares = append(op.Middlewares, refuseRepeated(a))
	huma.Register(a, op, func(ctx context.Context, in *I) (*O, error) {
		ctx = context.WithValue(ctx, operationKey{}, op.OperationID)
		if work != nil {
			if err := work.take(ctx); err != nil {
				return nil, err
			}
			defer work.free()
		}
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.explain(ctx, err)
		}
		return out, nil
	})
}

// take waits for a slot; unless it fails free must follow.
func (w slots) take(ctx context.Context) error {
	select {
	case w <- struct{}{}:
		return nil
	case <-ctx.Done():
		return retryLater(http.StatusServiceUnavailable, slowDown, "too many requests are being answered at this moment")
	}
}

func (w slots) free() { <-w }

// addProblem documents how an operation fails, and that a reading one may answer that nothing is new.
func addProblem(a huma.API, op *huma.Operation) {
	example := huma.NewError(http.StatusBadRequest, "")
	model, ok := example.(*huma.ErrorModel)
	if !ok {
		panic("huma.NewError was replaced")
	}
	schema := a.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(*model), true, "")
	op.Responses = map[string]*huma.Response{"default": {
		Description: "A problem document (RFC 9457)",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}}
	if op.OperationID == opChanges {
		op.Responses["410"] = &huma.Response{
			Description: "The log does not go on behind the cursor",
			Content: map[string]*huma.MediaType{"application/problem+json": {
				Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[goneProblem](), true, ""),
			}},
		}
	}
	if op.Method == http.MethodGet && op.OperationID != opChanges {
		op.Responses["304"] = &huma.Response{Description: "Nothing has changed since the answer with the ETag in If-None-Match"}
	}
}

// refuseRepeated refuses a parameter given twice that is no list: one of the two would be ignored.
func refuseRepeated(a huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		var lists []string
		for _, p := range ctx.Operation().Parameters {
			if p.In == "query" && p.Schema.Type == huma.TypeArray {
				lists = append(lists, p.Name)
			}
		}
		u := ctx.URL()
		if name, twice := repeated(u.Query(), lists); twice {
			// What cannot be written reaches nobody.
			_ = huma.WriteErr(a, ctx, http.StatusUnprocessableEntity, "validation failed", //nolint:errcheck // see above
				&huma.ErrorDetail{Message: "the parameter is given twice", Location: "query." + name})
			return
		}
		next(ctx)
	}
}
