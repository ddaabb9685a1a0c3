package rapisim

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// Farm is many clusters, each behind a server of its own, with one identity.
type Farm struct{ servers []*Server }

// NewFarm starts n servers with clusters made from o: each has the next seed,
// and o's name with a number in its first label (cluster1.example). They share
// o's domain, hence the names of their instances.
func NewFarm(n int, o Options, opts ...ServerOption) (*Farm, error) {
	named := o.withDefaults()
	o.Domain = named.Domain
	id, err := sharedIdentity()
	if err != nil {
		return nil, err
	}
	opts = append([]ServerOption{WithIdentity(id)}, opts...)
	f := &Farm{}
	for i := range n {
		each := o
		each.Seed += uint64(i)
		label, rest, dotted := strings.Cut(named.Name, ".")
		each.Name = fmt.Sprintf("%s%d", label, i+1)
		if dotted {
			each.Name += "." + rest
		}
		s, err := NewServer(NewCluster(each), opts...)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("starting server %d of %d: %w", i+1, n, err)
		}
		f.servers = append(f.servers, s)
	}
	return f, nil
}

// Servers returns the servers in the order of their seeds. The slice is the
// farm's own.
func (f *Farm) Servers() []*Server { return f.servers }

// Live has every cluster make rate changes a second until ctx ends. onChange,
// if not nil, is called from several goroutines.
func (f *Farm) Live(ctx context.Context, rate float64, onChange func(*Cluster, Event)) {
	var all sync.WaitGroup
	for _, s := range f.servers {
		all.Go(func() {
			c := s.Cluster()
			c.Live(ctx, rate, func(e Event) {
				if onChange != nil {
					onChange(c, e)
				}
			})
		})
	}
	all.Wait()
}

// Close closes every server.
func (f *Farm) Close() {
	var all sync.WaitGroup
	for _, s := range f.servers {
		all.Go(s.Close)
	}
	all.Wait()
}
