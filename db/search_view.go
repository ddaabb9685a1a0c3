package db

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Page is a part of a search's result.
type Page[T any] struct {
	Items []T `json:"items"`
	// Next is the After of the next page, "" on the last one.
	Next string `json:"next,omitempty"`
}

// VMView is a row of the view vms, or a tombstone in the same form.
type VMView struct {
	VM
	// Cluster is the cluster's name.
	Cluster string `db:"cluster" json:"cluster"`
	// CachedAt is the time as of which the row is true.
	CachedAt *time.Time `db:"-" json:"cached_at"`
	// RAPIHost and the others lead to the cluster's RAPI client without another query. They are not for output.
	RAPIHost        string `db:"rapi_host" json:"-"`
	RAPIPort        int    `db:"rapi_port" json:"-"`
	RAPIUsername    string `db:"rapi_username" json:"-"`
	CredentialsHash string `db:"credentials_hash" json:"-"`
}

// NodeView is a node with its cluster; see VMView.
type NodeView struct {
	Node
	Cluster         string     `db:"cluster" json:"cluster"`
	CachedAt        *time.Time `db:"-" json:"cached_at"`
	RAPIHost        string     `db:"rapi_host" json:"-"`
	RAPIPort        int        `db:"rapi_port" json:"-"`
	RAPIUsername    string     `db:"rapi_username" json:"-"`
	CredentialsHash string     `db:"credentials_hash" json:"-"`
}

// GroupView is a node group with its cluster; see VMView.
type GroupView struct {
	Group
	Cluster         string     `db:"cluster" json:"cluster"`
	CachedAt        *time.Time `db:"-" json:"cached_at"`
	RAPIHost        string     `db:"rapi_host" json:"-"`
	RAPIPort        int        `db:"rapi_port" json:"-"`
	RAPIUsername    string     `db:"rapi_username" json:"-"`
	CredentialsHash string     `db:"credentials_hash" json:"-"`
}

// NetworkView is a network with its cluster; see VMView.
type NetworkView struct {
	Network
	Cluster         string     `db:"cluster" json:"cluster"`
	CachedAt        *time.Time `db:"-" json:"cached_at"`
	RAPIHost        string     `db:"rapi_host" json:"-"`
	RAPIPort        int        `db:"rapi_port" json:"-"`
	RAPIUsername    string     `db:"rapi_username" json:"-"`
	CredentialsHash string     `db:"credentials_hash" json:"-"`
}

// JobView is a job with its cluster; see VMView.
type JobView struct {
	Job
	Cluster         string     `db:"cluster" json:"cluster"`
	CachedAt        *time.Time `db:"-" json:"cached_at"`
	RAPIHost        string     `db:"rapi_host" json:"-"`
	RAPIPort        int        `db:"rapi_port" json:"-"`
	RAPIUsername    string     `db:"rapi_username" json:"-"`
	CredentialsHash string     `db:"credentials_hash" json:"-"`
}

// view is what the five have in common, seen from the search: a row, its columns and where its age goes.
type view interface {
	VMView | NodeView | GroupView | NetworkView | JobView
}

// viewRow scans a view with what its age is computed from.
type viewRow[T view] struct {
	view        T
	refreshedAt *time.Time
	quarantined bool
}

// originColumns are those of a view that come from its cluster.
const originColumns = "c.name AS cluster, c.rapi_host, c.rapi_port, c.rapi_username, c.credentials_hash"

// fields gives the columns of a view by name, as pointers into v, and the row itself.
func fields(v any) map[string]any {
	found := make(map[string]any)
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Anonymous {
				walk(v.Field(i))
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("db"), ",")
			switch {
			case name == "-" && f.Name == "CachedAt":
				name = columnCachedAt
			case name == "" || name == "-":
				continue
			}
			found[name] = v.Field(i).Addr().Interface()
		}
	}
	walk(reflect.ValueOf(v).Elem())
	return found
}

// finish makes the row what the view shows: clean times, and its age. An item in quarantine was not understood in the
// newest answer, so its row is only as fresh as its own observation; a tombstone is as true as the newest answer.
func (r *viewRow[T]) finish() error {
	all := fields(&r.view)
	for _, p := range all {
		cleanField(p)
	}
	cleanField(&r.refreshedAt)
	observed, ok := all["observed_at"].(*time.Time)
	if !ok {
		return fmt.Errorf("%T has no observed_at", r.view)
	}
	cached := *observed
	if r.refreshedAt != nil && !r.quarantined && r.refreshedAt.After(cached) {
		cached = *r.refreshedAt
	}
	at, ok := all[columnCachedAt].(**time.Time)
	if !ok {
		return fmt.Errorf("%T has no CachedAt", r.view)
	}
	*at = &cached
	return nil
}

// selectList is the select list of a view's rows.
func (t *table) selectList(withInfo bool) string {
	var list []byte
	for _, c := range t.columns {
		if c.name == "info" && !withInfo || c.name == "digest" {
			continue
		}
		list = append(list, "v."+c.name+", "...)
	}
	return string(list) + originColumns + ", f.refreshed_at, " + quarantined(t) + " AS quarantined"
}

// quarantined is a condition: the newest answer had something else for the row's object, which was not understood.
func quarantined(t *table) string {
	return "EXISTS (SELECT 1 FROM quarantine q WHERE q.cluster_id = v.cluster_id AND q.kind = '" + string(t.kind) +
		"' AND q.uuid = v.uuid)"
}

// viewJoins goes with selectList.
func (t *table) viewJoins() string {
	return `JOIN clusters c ON c.id = v.cluster_id
LEFT JOIN freshness f ON f.cluster_id = v.cluster_id AND f.kind = '` + string(t.kind) + "'"
}

// sortable lists the columns that a search may be sorted by.
func (t *table) sortable() []string {
	names := []string{columnCluster, columnCachedAt, "rapi_host"}
	for _, c := range t.columns {
		if c.name != "info" && c.name != "digest" {
			names = append(names, c.name)
		}
	}
	slices.Sort(names)
	return names
}

// scanViews reads the rows of a query made with selectList.
func scanViews[T view](rows *sql.Rows) (views []T, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var r viewRow[T]
		all := fields(&r.view)
		all["refreshed_at"], all["quarantined"] = &r.refreshedAt, &r.quarantined
		ptrs := make([]any, len(columns))
		for i, c := range columns {
			if ptrs[i] = all[c]; ptrs[i] == nil {
				return nil, fmt.Errorf("%T has no column %s", r.view, c)
			}
		}
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		if err := r.finish(); err != nil {
			return nil, err
		}
		views = append(views, r.view)
	}
	return views, rows.Err()
}
