// Package rapisim simulates Ganeti's remote API (RAPI): whole clusters, made
// from a seed, behind real TLS, whose answers have the headers, the fields and
// the types of recorded answers of Ganeti 3.0.2.
//
// A [Cluster] is the truth: instances, nodes, groups, networks and jobs. It
// changes through methods that keep Ganeti's rules about serial numbers and
// modification times, by itself at a given rate ([Cluster.Live]), or in one
// burst ([Cluster.Churn]). A [Server] answers for one cluster on a port of its
// own, counts what it was asked, and misbehaves on request ([Server.Hurt]). A
// [Farm] is many of both. Everything is safe for concurrent use.
//
// It serves reads. Writes are refused with 403, as Ganeti does for a user
// without the option write; /2/query likewise.
//
// Answers are rendered once and patched on change, so that a bulk answer costs
// its bytes and nothing else, and memory is about the size of those bytes; see
// [Options.Compact] for less.
package rapisim

import "time"

// Options describe a cluster to be made. The zero value is a small cluster of
// ten instances.
type Options struct {
	// Name of the cluster; default "cluster.example".
	Name string
	// Domain of its instances and nodes (inst0001.DOMAIN); default: Name
	// without its first label. Clusters may share one, and then share names.
	Domain string
	// Seed decides every name, uuid, property and later change. Two clusters
	// with equal options are equal, and stay so under the same calls.
	Seed uint64
	// VMs, Nodes, Groups and Networks are how many of each to make; defaults
	// 10, 4, 2, 2. A negative number means none (of nodes and groups: one).
	VMs, Nodes, Groups, Networks int
	// Jobs is how many finished jobs the queue holds at the start, and at
	// most: each change adds one and archives the oldest. Default 0.
	Jobs int
	// KVMShare is the part, 0 to 1, of the instances that are KVM guests,
	// whose hypervisor parameters make them 2.5 KB of JSON; the others are of
	// the "fake" hypervisor, 1.1 KB.
	KVMShare float64
	// DRBDShare is the part, 0 to 1, of the instances with a secondary node.
	// No recording covers these: their shape is Ganeti's documentation's.
	DRBDShare float64
	// Username and Password that requests must carry; default gwm, secret.
	Username, Password string
	// Now stamps ctime, mtime and jobs. Default: a clock of the simulator's
	// own that starts on 2026-01-05 and moves with the changes, so that equal
	// seeds give equal answers.
	Now func() time.Time
	// Compact is for farms of very many instances: until its first change a
	// cluster keeps nothing but its bulk answers, packed to about 260 bytes an
	// instance, and unpacks them as they are sent. All other questions, and the
	// methods that tell the truth, generate the cluster again each time, which
	// takes some milliseconds per 1,000 instances. Sending takes a third longer. It does nothing with Now.
	Compact bool
}

func (o Options) withDefaults() Options {
	text := func(p *string, fallback string) {
		if *p == "" {
			*p = fallback
		}
	}
	count := func(p *int, fallback, least int) {
		if *p == 0 {
			*p = fallback
		}
		*p = max(*p, least)
	}
	text(&o.Name, "cluster.example")
	text(&o.Domain, domainOf(o.Name))
	text(&o.Username, "gwm")
	text(&o.Password, "secret")
	count(&o.VMs, 10, 0)
	count(&o.Nodes, 4, 1)
	count(&o.Groups, 2, 1)
	count(&o.Networks, 2, 0)
	o.Jobs = max(o.Jobs, 0)
	return o
}
