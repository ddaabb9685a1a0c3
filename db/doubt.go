package db

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"ganeticache/netaddr"
)

// Doubt is a value of a filter that finds nothing because there is no such thing, and not because nothing matches.
type Doubt struct {
	// Param is the filter's field in snake_case; "" for a remark about the list as a whole.
	Param string
	// Text is a sentence. It names nothing that the filter's Permitted does not show.
	Text string
}

// Doubtful is a filter whose values can be looked into.
type Doubtful interface{ values() []askedValue }

// vocabulary is where a value comes from.
type vocabulary int

const (
	ofStatuses vocabulary = iota
	ofJobStatuses
	ofRoles
	ofTemplates
	ofIPs
	ofMACs
	ofNodes
	ofOSes
	ofNetworks
	ofGroups
)

// askedValue is a value of a filter.
type askedValue struct {
	param, value string
	from         vocabulary
	p            *Permitted
}

func (f VMFilter) values() []askedValue {
	var all []askedValue
	for _, s := range f.Statuses {
		all = append(all, askedValue{"status", s, ofStatuses, f.Permitted})
	}
	return append(all,
		askedValue{"node", f.Node, ofNodes, f.Permitted}, askedValue{"primary_node", f.PrimaryNode, ofNodes, f.Permitted},
		askedValue{"secondary_node", f.SecondaryNode, ofNodes, f.Permitted}, askedValue{"os", f.OS, ofOSes, f.Permitted},
		askedValue{"disk_template", f.DiskTemplate, ofTemplates, f.Permitted}, askedValue{"ip", f.IP, ofIPs, f.Permitted},
		askedValue{"mac", f.MAC, ofMACs, f.Permitted}, askedValue{"network", f.Network, ofNetworks, f.Permitted})
}

func (f NodeFilter) values() []askedValue {
	all := []askedValue{{"group", f.Group, ofGroups, f.Permitted}, {"ip", f.IP, ofIPs, f.Permitted}}
	for _, role := range f.Roles {
		all = append(all, askedValue{"role", role, ofRoles, f.Permitted})
	}
	return all
}

func (f GroupFilter) values() []askedValue {
	return []askedValue{{"node", f.Node, ofNodes, f.Permitted}}
}

func (f NetworkFilter) values() []askedValue { return nil }

func (f JobFilter) values() []askedValue {
	var all []askedValue
	for _, s := range f.Statuses {
		all = append(all, askedValue{"status", s, ofJobStatuses, f.Permitted})
	}
	return all
}

// words are those that Ganeti has, whether or not any object does at this moment.
func (v vocabulary) words() []string {
	switch v {
	case ofStatuses:
		return slices.Concat([]string{StatusRunning, StatusDown, StatusError}, statusesOf(StatusDown), statusesOf(StatusError))
	case ofJobStatuses:
		return []string{"queued", "waiting", "canceling", "running", "canceled", "success", "error"}
	case ofRoles:
		return []string{"master", "candidate", "regular", "drained", "offline", "M", "C", "R", "D", "O"}
	case ofTemplates:
		return []string{"drbd", "plain", "file", "sharedfile", "diskless", "blockdev", "rbd", "ext", "gluster"}
	default:
		return nil
	}
}

// Asks says whether a filter has a value that can be doubted.
func Asks(f Doubtful) bool {
	return slices.ContainsFunc(f.values(), func(v askedValue) bool { return v.value != "" })
}

// Doubts looks into the values of a filter. Those of which Ganeti has a list, and addresses, are always looked at; whether
// there is such a node, operating system, network or group only when the filter has found nothing, since it costs a query.
func (s *Store) Doubts(ctx context.Context, f Doubtful, empty bool) ([]Doubt, error) {
	var doubts []Doubt
	for _, v := range f.values() {
		if v.value == "" || slices.Contains(v.from.words(), v.value) || !empty && !v.listed() {
			continue
		}
		text, err := s.doubt(ctx, v)
		if err != nil {
			return nil, err
		}
		if text != "" {
			doubts = append(doubts, Doubt{v.param, text})
		}
	}
	return doubts, nil
}

// listed says whether a value can be doubted without looking at what is there.
func (v askedValue) listed() bool {
	return v.from.words() != nil || v.from == ofIPs || v.from == ofMACs
}

// doubt is what to say of a value that no list of words has; "" when it is a good one.
func (s *Store) doubt(ctx context.Context, v askedValue) (string, error) {
	shown := shorten(v.value)
	switch v.from { //nolint:exhaustive // the others have words, or are looked up
	case ofIPs:
		if _, ok := netaddr.IP(v.value); !ok {
			return fmt.Sprintf("%q is no IP address", shown), nil
		}
		return "", nil
	case ofMACs:
		if _, ok := netaddr.MAC(v.value); !ok {
			return fmt.Sprintf("%q is no MAC address", shown), nil
		}
		return "", nil
	}
	there, err := s.isThere(ctx, v)
	if there || err != nil {
		return "", err
	}
	candidates := v.from.words()
	if candidates == nil {
		if candidates, err = s.candidates(ctx, v); err != nil || len(candidates) == 0 {
			return "", err // nothing is cached that could be told apart from it
		}
	}
	if near := nearestWord(v.value, candidates); near != "" {
		return fmt.Sprintf("there is no %q; did you mean %q?", shown, near), nil
	}
	if words := v.from.words(); words != nil {
		return fmt.Sprintf("there is no %q; it is one of %s", shown, strings.Join(words, ", ")), nil
	}
	return fmt.Sprintf("there is no %q", shown), nil
}

// isThere looks for an object that has the value, tombstones included, among those that are permitted.
func (s *Store) isThere(ctx context.Context, v askedValue) (bool, error) {
	vm := VMFilter{Tombstones: WithTombstones, Permitted: v.p, Limit: 1, Sort: "id"}
	switch v.from {
	case ofStatuses:
		vm.Statuses = []string{v.value}
	case ofTemplates:
		vm.DiskTemplate = v.value
	case ofOSes:
		vm.OS = v.value
	case ofNodes:
		vm.Node = v.value
		page, err := s.SearchNodes(ctx, NodeFilter{Name: exactly(v.value), Tombstones: WithTombstones, Permitted: v.p, Limit: 1, Sort: "id"})
		if err != nil || len(page.Items) > 0 {
			return len(page.Items) > 0, err
		}
	case ofNetworks:
		vm.Network = v.value
		page, err := s.SearchNetworks(ctx, NetworkFilter{Name: exactly(v.value), Tombstones: WithTombstones, Permitted: v.p, Limit: 1, Sort: "id"})
		if err != nil || len(page.Items) > 0 {
			return len(page.Items) > 0, err
		}
	case ofGroups:
		if v.value != cleanText(v.value) {
			return false, nil
		}
		groups, err := s.candidates(ctx, v)
		if err != nil || slices.Contains(groups, v.value) {
			return true, err
		}
		page, err := s.SearchNodes(ctx, NodeFilter{Group: v.value, Tombstones: WithTombstones, Permitted: v.p, Limit: 1, Sort: "id"})
		return len(page.Items) > 0, err
	case ofJobStatuses:
		page, err := s.SearchJobs(ctx, JobFilter{Statuses: []string{v.value}, Tombstones: WithTombstones, Permitted: v.p, Limit: 1, Sort: "id"})
		return len(page.Items) > 0, err
	case ofRoles:
		page, err := s.SearchNodes(ctx, NodeFilter{Roles: []string{v.value}, Tombstones: WithTombstones, Permitted: v.p, Limit: 1, Sort: "id"})
		return len(page.Items) > 0, err
	case ofIPs, ofMACs:
		return true, nil
	}
	page, err := s.SearchVMs(ctx, vm)
	return len(page.Items) > 0, err
}

// exactly is a name that is no glob: who filters by a node gives its name.
func exactly(name string) string { return strings.NewReplacer("*", "\x00", "?", "\x00").Replace(name) }

// candidates are the values that somebody may see.
func (s *Store) candidates(ctx context.Context, v askedValue) ([]string, error) {
	var names []string
	by := SumByNode
	switch v.from {
	case ofGroups:
		page, err := s.SearchGroups(ctx, GroupFilter{Permitted: v.p, Limit: MaxLimit})
		for i := range page.Items {
			names = append(names, page.Items[i].Name, page.Items[i].UUID)
		}
		return names, err
	case ofNetworks:
		page, err := s.SearchNetworks(ctx, NetworkFilter{Permitted: v.p, Limit: MaxLimit})
		for i := range page.Items {
			names = append(names, page.Items[i].Name)
		}
		return names, err
	case ofOSes:
		by = SumByOS
	default:
		page, err := s.SearchNodes(ctx, NodeFilter{Permitted: v.p, Limit: MaxLimit})
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			names = append(names, page.Items[i].Name)
		}
		if len(names) > 0 {
			return names, nil
		}
	}
	sums, err := s.SumVMs(ctx, VMFilter{Permitted: v.p, Tombstones: WithTombstones}, by)
	for _, sum := range sums {
		if sum.Key != "" {
			names = append(names, sum.Key)
		}
	}
	return names, err
}

// nearestWord returns the word that was probably meant, "" when none is close. Case, and what follows the first dot of a
// name, may be missing.
func nearestWord(value string, words []string) string {
	const longest = 255
	if len(value) > longest {
		return ""
	}
	best, distance := "", max(2, len(value)/3)+1
	plain := strings.ToLower(value)
	for _, word := range words {
		if word == "" || len(word) > longest {
			continue
		}
		lower := strings.ToLower(word)
		d := levenshtein.ComputeDistance(plain, lower)
		if short, _, _ := strings.Cut(lower, "."); !strings.Contains(plain, ".") {
			d = min(d, 1+levenshtein.ComputeDistance(plain, short))
		}
		if d < distance {
			best, distance = word, d
		}
	}
	return best
}

// UnknownCluster is the doubt about a name that none of the clusters that somebody sees has.
func UnknownCluster(name string, seen []string) Doubt {
	text := fmt.Sprintf("there is no %q", shorten(name))
	if near := nearestWord(name, seen); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return Doubt{"cluster", text}
}

// JobsNotCached returns the remark that nothing is cached of the jobs of some of these clusters, of all without names.
func (s *Store) JobsNotCached(ctx context.Context, clusters []string) ([]Doubt, error) {
	fresh, err := s.KindFreshness(ctx, KindJob, clusters)
	if err != nil {
		return nil, err
	}
	var without []string
	for _, f := range fresh {
		if f.RefreshedAt == nil && f.Enabled {
			without = append(without, f.Cluster)
		}
	}
	switch {
	case len(without) == 0:
		return nil, nil
	case len(without) == len(fresh):
		return []Doubt{{"", "jobs are not cached: no cluster has a schedule for them (schedules.job), or none has answered yet"}}, nil
	}
	const most = 10
	names := strings.Join(without[:min(most, len(without))], ", ")
	if len(without) > most {
		names += ", …"
	}
	return []Doubt{{"", fmt.Sprintf("jobs are not cached of %d of %d clusters: %s", len(without), len(fresh), names)}}, nil
}
