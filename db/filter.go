package db

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// maxValues bounds the values of one list in a filter: more is a mistake or an attack.
const maxValues = 1000

// ErrBadFilter means that a filter makes no sense; the error that wraps it names the parameter and says what is allowed.
var ErrBadFilter = errors.New("bad filter")

// badFilter is an ErrBadFilter; param is the filter's field in snake_case, as flags and parameters are called.
func badFilter(param, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrBadFilter, param, fmt.Sprintf(format, args...))
}

// Tombstones says whether objects that are gone from Ganeti are wanted.
type Tombstones int

// The choices of Tombstones.
const (
	LiveOnly Tombstones = iota
	WithTombstones
	TombstonesOnly
)

// Groups of statuses that a VMFilter knows beside Ganeti's own words.
const (
	// StatusRunning is Ganeti's own word: it runs, and is meant to.
	StatusRunning = "running"
	// StatusDown is a VM that does not run and is not meant to.
	StatusDown = "down"
	// StatusError is a VM that is not as it should be, or of which nothing is known.
	StatusError = "error"
)

// Every field of a filter narrows it, and the zero value of each field asks for nothing. Text is compared as it is, case
// included. A glob has * for any text and ? for one character.

// VMFilter chooses VMs; the zero value chooses all live ones.
type VMFilter struct {
	// Clusters are names; any of them. One that is not known has no VMs.
	Clusters []string
	// Statuses are Ganeti's words (running, ADMIN_down, ERROR_nodedown, …) or the groups running, down and error; any of them.
	Statuses []string
	// Name is a name or a glob.
	Name string
	// Node is a primary or a secondary node.
	Node, PrimaryNode, SecondaryNode string
	OS, DiskTemplate                 string
	// Tags and TagPrefixes: a VM must have all of them.
	Tags, TagPrefixes []string
	// IP, MAC and Network (a name) are those of any of its NICs.
	IP, MAC, Network string
	// Memory is the configured maximum in MiB, Disk the sum of all disks in MiB.
	Memory, VCPUs, Disk Range
	// ChangedSince is when the newest entry in changes was observed, at the earliest.
	ChangedSince *time.Time
	Tombstones   Tombstones
	// Permitted restricts to what somebody may see; nil does not.
	Permitted *Permitted
	// WithInfo fills Info, the whole object as JSON, which is long.
	WithInfo bool

	// Sort is a column of the view vms (or deleted_at); "" is name. Lists are sorted by their first element. An unknown
	// value (NULL) comes before all others.
	Sort       string
	Descending bool
	// Limit is the length of a page; 0 is DefaultLimit, more than MaxLimit an error.
	Limit int
	// After is the Next of the page before, with the same Sort and Descending.
	After string
}

// NodeFilter chooses nodes; see VMFilter. With Permitted, only nodes of clusters that are granted as a whole are chosen.
type NodeFilter struct {
	Clusters []string
	Name     string
	// Roles are M, C, R, D and O, or their names master, candidate, regular, drained and offline; any of them.
	Roles []string
	// Group is the name or the uuid of a node group.
	Group string
	// IP is the primary or the secondary one.
	IP                string
	Tags, TagPrefixes []string
	// MemoryTotal, MemoryFree, DiskTotal and DiskFree are MiB.
	MemoryTotal, MemoryFree, DiskTotal, DiskFree, CPUs Range
	ChangedSince                                       *time.Time
	Tombstones                                         Tombstones
	Permitted                                          *Permitted
	WithInfo                                           bool

	Sort       string
	Descending bool
	Limit      int
	After      string
}

// GroupFilter chooses node groups; see NodeFilter.
type GroupFilter struct {
	Clusters []string
	Name     string
	// Node is the name of a member.
	Node              string
	Tags, TagPrefixes []string
	ChangedSince      *time.Time
	Tombstones        Tombstones
	Permitted         *Permitted
	WithInfo          bool

	Sort       string
	Descending bool
	Limit      int
	After      string
}

// NetworkFilter chooses networks; see NodeFilter.
type NetworkFilter struct {
	Clusters          []string
	Name              string
	Tags, TagPrefixes []string
	ChangedSince      *time.Time
	Tombstones        Tombstones
	Permitted         *Permitted
	WithInfo          bool

	Sort       string
	Descending bool
	Limit      int
	After      string
}

// JobFilter chooses jobs; see NodeFilter. The newest come first unless Sort is given.
type JobFilter struct {
	Clusters []string
	// Name is the first line of the summary, such as INSTANCE_CREATE(web1), or a glob.
	Name string
	// Statuses are Ganeti's: queued, waiting, canceling, running, canceled, success, error; any of them.
	Statuses     []string
	ChangedSince *time.Time
	Tombstones   Tombstones
	Permitted    *Permitted
	WithInfo     bool

	Sort       string
	Descending bool
	Limit      int
	After      string
}

// common is what all filters have.
type common struct {
	clusters          []string
	name              string
	tags, tagPrefixes []string
	changedSince      *time.Time
	tombstones        Tombstones
	permitted         *Permitted
	withInfo          bool
	order             order
}

// order is how a page is cut.
type order struct {
	sort       string
	descending bool
	limit      int
	after      string
}

func (f *VMFilter) common() common {
	return common{
		f.Clusters, f.Name, f.Tags, f.TagPrefixes, f.ChangedSince, f.Tombstones, f.Permitted, f.WithInfo,
		order{f.Sort, f.Descending, f.Limit, f.After},
	}
}

func (f *NodeFilter) common() common {
	return common{
		f.Clusters, f.Name, f.Tags, f.TagPrefixes, f.ChangedSince, f.Tombstones, f.Permitted, f.WithInfo,
		order{f.Sort, f.Descending, f.Limit, f.After},
	}
}

func (f *GroupFilter) common() common {
	return common{
		f.Clusters, f.Name, f.Tags, f.TagPrefixes, f.ChangedSince, f.Tombstones, f.Permitted, f.WithInfo,
		order{f.Sort, f.Descending, f.Limit, f.After},
	}
}

func (f *NetworkFilter) common() common {
	return common{
		f.Clusters, f.Name, f.Tags, f.TagPrefixes, f.ChangedSince, f.Tombstones, f.Permitted, f.WithInfo,
		order{f.Sort, f.Descending, f.Limit, f.After},
	}
}

func (f *JobFilter) common() common {
	o := order{f.Sort, f.Descending, f.Limit, f.After}
	if o.sort == "" {
		o.sort, o.descending = "received_at", true
	}
	return common{f.Clusters, f.Name, nil, nil, f.ChangedSince, f.Tombstones, f.Permitted, f.WithInfo, o}
}

// check finds what no database should be asked.
func (c *common) check() error {
	for _, l := range []struct {
		param  string
		values []string
	}{{"cluster", c.clusters}, {"tag", c.tags}, {"tag_prefix", c.tagPrefixes}} {
		if len(l.values) > maxValues {
			return badFilter(l.param, "%d values are too many, %d are allowed", len(l.values), maxValues)
		}
	}
	if c.tombstones < LiveOnly || c.tombstones > TombstonesOnly {
		return badFilter("deleted", "there is no such choice of tombstones")
	}
	switch {
	case c.order.limit < 0 || c.order.limit > MaxLimit:
		return badFilter("limit", "%d is not between 1 and %d", c.order.limit, MaxLimit)
	case c.order.limit == 0:
		c.order.limit = DefaultLimit
	}
	return nil
}
