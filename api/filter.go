package api

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"ganeticache/db"
	"ganeticache/printable"
)

// The parameters that every list has. Names are those of the command line's flags.

// PageInput says which part of a list, in which order.
type PageInput struct {
	Sort       string `query:"sort" maxLength:"64" doc:"A field to sort by; name unless given (jobs: the newest first)"`
	Descending bool   `query:"descending" doc:"Sort downwards"`
	Limit      int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"The length of a page"`
	After      string `query:"after" maxLength:"4096" doc:"The next of the page before, with the same sort"`
}

// CommonInput are the filters that every list has.
type CommonInput struct {
	Cluster      []string `query:"cluster,explode" maxItems:"100" nullable:"false" doc:"Names of clusters; any of them"`
	Name         string   `query:"name" maxLength:"255" doc:"A name, or a glob with * and ?"`
	ChangedSince string   `query:"changed_since" maxLength:"64" example:"24h" doc:"Changed since a time (RFC 3339), or within a duration such as 24h"`
	Deleted      string   `query:"deleted" enum:"no,with,only" default:"no" doc:"Whether objects that are gone from Ganeti are wanted"`
	Info         bool     `query:"info" doc:"Include the whole object as Ganeti sent it"`
}

// TagInput are the filters by tags.
type TagInput struct {
	Tag       []string `query:"tag,explode" maxItems:"100" nullable:"false" doc:"Tags; all of them"`
	TagPrefix []string `query:"tag_prefix,explode" maxItems:"100" nullable:"false" doc:"Beginnings of tags; all of them"`
}

func tombstones(deleted string) db.Tombstones {
	switch deleted {
	case "with":
		return db.WithTombstones
	case "only":
		return db.TombstonesOnly
	default:
		return db.LiveOnly
	}
}

// since reads a time, or a duration before now.
func (s *service) since(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no filter
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		t := s.now().Add(-d).UTC()
		return &t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, invalid("query.changed_since", "write a time such as 2026-05-09T18:00:00Z, or a duration such as 24h")
	}
	t = t.UTC()
	return &t, nil
}

// parseRange reads the range of a parameter.
func parseRange(param, text string, unit db.Unit) (db.Range, error) {
	if text == "" {
		return db.Range{}, nil
	}
	r, err := db.ParseRange(text, unit)
	if err != nil {
		return r, invalid("query."+param, "%s", sentence(err))
	}
	return r, nil
}

// rangeOf is a parameter and where its range goes.
type rangeOf struct {
	param, text string
	unit        db.Unit
	into        *db.Range
}

func parseRanges(ranges ...rangeOf) (err error) {
	for _, r := range ranges {
		if *r.into, err = parseRange(r.param, r.text, r.unit); err != nil {
			return err
		}
	}
	return nil
}

// sentence takes the words that every bad filter begins with off its error.
func sentence(err error) string {
	text := printable.Text(err.Error())
	text = strings.TrimPrefix(text, db.ErrBadFilter.Error()+": ")
	return strings.TrimPrefix(text, "range: ")
}

// asProblem gives a bad filter the form that the checks of single parameters have.
func asProblem(err error) error {
	if !errors.Is(err, db.ErrBadFilter) {
		return err
	}
	param, rest, found := strings.Cut(sentence(err), ": ")
	if !found {
		return invalid("query", "%s", param)
	}
	return invalid("query."+param, "%s", rest)
}

// within narrows a list to clusters that the caller sees anything of, so that neither their age nor their troubles nor a
// refresh tell of others. whole asks for clusters that are seen as a whole. It reports false when none is left: the list
// is empty then. Names that the caller sees no cluster of are in doubt.
func (s *service) within(ctx context.Context, asked []string, whole bool) (clusters []string, some bool, doubts []db.Doubt, err error) {
	who := callerOf(ctx)
	if len(asked) == 0 && !who.restricted() {
		return nil, true, nil, nil
	}
	seen, err := s.cache.VisibleClusters(ctx, who.permitted())
	if err != nil {
		return nil, false, nil, err
	}
	visible := func(name string) bool {
		all, found := seen[name]
		return found && (all || !whole)
	}
	if len(asked) == 0 {
		for name := range seen {
			if visible(name) {
				asked = append(asked, name)
			}
		}
		slices.Sort(asked)
	} else {
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(seen)), func(name string) bool { return !visible(name) })
		asked = slices.DeleteFunc(slices.Clone(asked), func(name string) bool {
			if visible(name) {
				return false
			}
			doubts = append(doubts, db.UnknownCluster(name, names))
			return true
		})
	}
	return asked, len(asked) > 0, doubts, nil
}

// listOf answers with a page: it finds the clusters, reads, and turns rows into what is shown.
func listOf[Row, Item any](
	ctx context.Context, s *service, in listInput, whole bool, values db.Doubtful,
	ask func(ctx context.Context, clusters []string, r Read) (Cached[db.Page[Row]], error), show func(Row) Item,
) (*output[List[Item]], error) {
	who := callerOf(ctx)
	r, err := in.fresh.read(who)
	if err != nil {
		return nil, err
	}
	clusters, some, warnings, err := s.within(ctx, in.clusters, whole)
	if err != nil {
		return nil, err
	}
	var c Cached[db.Page[Row]]
	if some {
		c, err = read(ctx, r, func(ctx context.Context, r Read) (Cached[db.Page[Row]], error) { return ask(ctx, clusters, r) })
		if err != nil {
			return nil, asProblem(err)
		}
	}
	body := List[Item]{Items: make([]Item, 0, len(c.Value.Items)), Next: c.Value.Next, Freshness: freshness(who, c)}
	for _, row := range c.Value.Items {
		body.Items = append(body.Items, show(row))
	}
	if body.Warnings, err = s.warnings(ctx, warnings, values, some && in.first && len(body.Items) == 0); err != nil {
		return nil, err
	}
	return respond(in.conditional, body, body.Freshness, []any{withoutAge(body.Items), body.Next, body.Warnings})
}

// warnings are the sentences about values that find nothing because there is no such thing, behind those that are known.
func (s *service) warnings(ctx context.Context, known []db.Doubt, values db.Doubtful, empty bool) ([]string, error) {
	var doubts []db.Doubt
	if db.Asks(values) {
		var err error
		if doubts, err = s.cache.Doubts(ctx, values, empty); err != nil {
			return nil, err
		}
	}
	var texts []string
	for _, d := range slices.Concat(known, doubts) {
		if d.Param != "" {
			d.Text = d.Param + ": " + d.Text
		}
		texts = append(texts, cut(printable.Text(d.Text)))
	}
	return texts, nil
}

// withoutAge gives copies of items for an ETag.
func withoutAge[Item any](items []Item) []Item {
	items = slices.Clone(items)
	for i := range items {
		if t, ok := any(&items[i]).(interface{ dropAge() }); ok {
			t.dropAge()
		}
	}
	return items
}

// list gives what every list needs of its input.
func (in ReadInput) list(clusters []string, after string) listInput {
	return listInput{in.Conditional, in.Freshen, clusters, after == ""}
}

// listInput is what listOf needs of an operation's input.
type listInput struct {
	conditional Conditional
	fresh       Freshen
	clusters    []string
	// first is true for the first page.
	first bool
}

// one answers with a single object. The content that show gives is what the ETag speaks of.
func one[Row, Item any](
	ctx context.Context, in Conditional, fresh Freshen,
	ask func(context.Context, Read) (Cached[Row], error), show func(Row) (item Item, content any),
) (*output[One[Item]], error) {
	who := callerOf(ctx)
	r, err := fresh.read(who)
	if err != nil {
		return nil, err
	}
	c, err := read(ctx, r, ask)
	if err != nil {
		return nil, err
	}
	item, content := show(c.Value)
	body := One[Item]{Item: item, Freshness: freshness(who, c)}
	return respond(in, body, body.Freshness, content)
}

// itself shows an object whose ETag speaks of all of it.
func itself[Row, Item any](show func(Row) Item) func(Row) (Item, any) {
	return func(r Row) (Item, any) {
		item := show(r)
		return item, withoutAge([]Item{item})
	}
}

// ObjectInput names one object.
type ObjectInput struct {
	Cluster string `path:"cluster" maxLength:"63" doc:"The cluster's name"`
	Name    string `path:"name" maxLength:"255" doc:"The object's name or uuid"`
	ReadInput
}

func (in ObjectInput) ref(ctx context.Context) db.ObjectRef {
	return db.ObjectRef{Cluster: in.Cluster, Name: in.Name, Permitted: callerOf(ctx).permitted()}
}

// ReadInput is what every operation takes that may ask Ganeti.
type ReadInput struct {
	Conditional
	Freshen
}
