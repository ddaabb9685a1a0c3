package db

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// ObjectRef names one object. UUID counts if both it and Name are given; Name may be a uuid as well.
type ObjectRef struct {
	// Cluster is the cluster's name; "" looks in all of them.
	Cluster string
	Name    string
	UUID    string
	// Tombstones also finds objects that are gone, if no live one answers to the name; the last to go wins.
	Tombstones bool
	// Permitted restricts to what somebody may see; what is not permitted is not found.
	Permitted *Permitted
}

// VMRef names one VM.
type VMRef = ObjectRef

func (r ObjectRef) String() string {
	name := r.UUID
	if name == "" {
		name = r.Name
	}
	if r.Cluster != "" {
		return r.Cluster + "/" + name
	}
	return name
}

// AmbiguousError means that several objects answer to a name. With Permitted, the candidates are permitted ones.
type AmbiguousError struct {
	Name string
	// Candidates are "cluster/name (uuid)", at most maxCandidates of them.
	Candidates []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q is ambiguous; it may be %s", e.Name, strings.Join(e.Candidates, ", "))
}

// maxCandidates bounds the candidates of an AmbiguousError.
const maxCandidates = 20

// VM returns one VM, with one query. ErrNotFound, *AmbiguousError.
func (s *Store) VM(ctx context.Context, ref VMRef, p *Permitted) (VMView, error) {
	if p != nil {
		ref.Permitted = p
	}
	return lookUp[VMView](ctx, s, KindVM, ref)
}

// Node returns one node; see VM.
func (s *Store) Node(ctx context.Context, ref ObjectRef) (NodeView, error) {
	return lookUp[NodeView](ctx, s, KindNode, ref)
}

// Group returns one node group; see VM.
func (s *Store) Group(ctx context.Context, ref ObjectRef) (GroupView, error) {
	return lookUp[GroupView](ctx, s, KindGroup, ref)
}

// Network returns one network; see VM.
func (s *Store) Network(ctx context.Context, ref ObjectRef) (NetworkView, error) {
	return lookUp[NetworkView](ctx, s, KindNetwork, ref)
}

// ClusterByName returns one cluster. ErrNotFound.
func (s *Store) ClusterByName(ctx context.Context, name string) (Cluster, error) {
	return s.PermittedCluster(ctx, name, nil)
}

// PermittedCluster is ClusterByName for somebody who may not see every cluster.
func (s *Store) PermittedCluster(ctx context.Context, name string, p *Permitted) (Cluster, error) {
	condition, args := p.clusterSQL(s.d, "clusters.id")
	var found []Cluster
	err := s.read(ctx, &found, selectClusters+" WHERE name = ? AND "+condition, append([]any{cleanText(name)}, args...)...)
	if err != nil {
		return Cluster{}, fmt.Errorf("reading cluster %q: %w", name, err)
	}
	if len(found) == 0 {
		return Cluster{}, fmt.Errorf("cluster %q: %w", shorten(name), ErrNotFound)
	}
	cleanField(&found[0].ObservedAt)
	return found[0], nil
}

// PermittedClusters returns the clusters that p permits as a whole, by name.
func (s *Store) PermittedClusters(ctx context.Context, p *Permitted) ([]Cluster, error) {
	condition, args := p.clusterSQL(s.d, "clusters.id")
	var found []Cluster
	if err := s.read(ctx, &found, selectClusters+" WHERE "+condition+" ORDER BY name", args...); err != nil {
		return nil, fmt.Errorf("reading the clusters: %w", err)
	}
	for i := range found {
		cleanField(&found[i].ObservedAt)
	}
	return found, nil
}

// lookUp reads the rows that a reference fits.
func lookUp[T view](ctx context.Context, s *Store, k Kind, ref ObjectRef) (T, error) {
	var none T
	notFound := fmt.Errorf("%s %q: %w", k, shorten(ref.String()), ErrNotFound)
	t, err := s.tableOf(k)
	if err != nil {
		return none, err
	}
	query, args := s.lookUpStatement(t, ref)
	if query == "" {
		return none, notFound
	}
	rows, err := s.reader.QueryContext(ctx, s.reader.Rebind(query), args...)
	if err != nil {
		return none, fmt.Errorf("looking up %s %q: %w", k, shorten(ref.String()), err)
	}
	found, err := scanViews[T](rows)
	if err != nil {
		return none, fmt.Errorf("looking up %s %q: %w", k, shorten(ref.String()), err)
	}
	switch found = best(found, ref); len(found) {
	case 0:
		return none, notFound
	case 1:
		return found[0], nil
	}
	ambiguous := &AmbiguousError{Name: shorten(ref.String())}
	for i := range found {
		id := identify(&found[i])
		ambiguous.Candidates = append(ambiguous.Candidates, fmt.Sprintf("%s/%s (%s)", id.cluster, id.name, id.uuid))
	}
	return none, ambiguous
}

// lookUpStatement finds by uuid, by name, or by a name that may be a uuid. Through the clusters it can use the index on
// (cluster_id, uuid) in all of them at once.
func (s *Store) lookUpStatement(t *table, ref ObjectRef) (string, []any) {
	var matches []string
	var args []any
	if key := cleanText(ref.UUID); key != "" {
		matches = append(matches, "SELECT m.id FROM clusters k JOIN "+t.name+" m ON m.cluster_id = k.id WHERE m.uuid = ?")
		args = append(args, key)
	} else if name := cleanText(ref.Name); name != "" {
		matches = append(matches, "SELECT m.id FROM "+t.name+" m WHERE m.name = ?",
			"SELECT m.id FROM clusters k JOIN "+t.name+" m ON m.cluster_id = k.id WHERE m.uuid = ?")
		args = append(args, name, name)
	} else {
		return "", nil
	}
	f := &filters{d: s.d, t: t}
	f.permitted(ref.Permitted, nil)
	tests := []string{"v.id IN (" + strings.Join(matches, " UNION ALL ") + ")"}
	for _, c := range f.conds {
		tests, args = append(tests, c.test), append(args, c.args...)
	}
	if ref.Cluster != "" {
		tests, args = append(tests, "c.name = ?"), append(args, cleanText(ref.Cluster))
	}
	if !ref.Tombstones {
		tests = append(tests, "v.deleted_at IS NULL")
	}
	return "SELECT " + t.selectList(true) + "\nFROM " + t.name + " v\n" + t.viewJoins() +
		"\nWHERE " + strings.Join(tests, " AND ") +
		// live ones first, then the last to go
		"\nORDER BY v.deleted_at IS NOT NULL, v.deleted_at DESC, c.name, v.id LIMIT ?", append(args, maxCandidates)
}

// identity is what tells a row from others.
type identity struct {
	cluster, name, uuid string
	deletedAt           *time.Time
}

// identify reads it from a view.
func identify(v any) identity {
	all := fields(v)
	text := func(column string) string {
		if p, ok := all[column].(*string); ok {
			return *p
		}
		return ""
	}
	id := identity{cluster: text(columnCluster), name: text("name"), uuid: text("uuid")}
	if p, ok := all["deleted_at"].(**time.Time); ok {
		id.deletedAt = *p
	}
	return id
}

// best leaves, of the rows found, those between which a reference does not decide: the live ones; without one, the
// tombstone that went last. An object whose uuid it is goes before others that are called like it.
func best[T view](found []T, ref ObjectRef) []T {
	var live, exact []T
	for i := range found {
		id := identify(&found[i])
		if id.deletedAt == nil {
			live = append(live, found[i])
			if ref.UUID == "" && id.uuid == ref.Name {
				exact = append(exact, found[i])
			}
		}
	}
	switch {
	case len(exact) > 0:
		return exact
	case len(live) > 0:
		return live
	case len(found) > 0:
		return found[:1]
	}
	return nil
}
