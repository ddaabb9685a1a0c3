package rapisim

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Network is what a cluster knows of one IP network.
type Network struct {
	UUID, Name string
	// Network is its prefix (10.64.0.0/20); the others are empty where RAPI
	// says null.
	Network, Gateway, Network6, Gateway6, MACPrefix string
	FreeCount, ReservedCount                        int
	Tags                                            []string
	SerialNo                                        int
	CTime, MTime                                    float64
}

type network struct {
	uuid, name     string
	prefix         netip.Prefix
	gateway        netip.Addr // zero: none
	prefix6        string
	external, used []bool // by offset in the prefix: reserved for others, taken
	tags           []string
	serial         int
	ctime, mtime   float64
	edit           Edit
}

const macPrefix = "aa:bb:cc"

func (n *network) idOrEmpty() string {
	if n == nil {
		return ""
	}
	return n.uuid
}

func (n *network) nameOrEmpty() string {
	if n == nil {
		return ""
	}
	return n.name
}

func (n *network) address(offset int) string {
	a := n.prefix.Addr().As4()
	return address(int(a[0]), int(a[1]), int(a[2])<<8|int(a[3])+offset)
}

// take reserves the first free address; "" when there is none.
func (n *network) take() string {
	for i := range n.used {
		if !n.used[i] && !n.external[i] {
			n.used[i] = true
			return n.address(i)
		}
	}
	return ""
}

// reserve takes the given address, or gives it back; one outside n is nobody's.
func (n *network) reserve(ip string, taken bool) {
	a, err := netip.ParseAddr(ip)
	if err != nil || !n.prefix.Contains(a) {
		return
	}
	base, at := n.prefix.Addr().As4(), a.As4()
	n.used[int(at[2])<<8+int(at[3])-int(base[2])<<8-int(base[3])] = taken
}

// usage draws Ganeti's map of a network and lists its external reservations.
func (n *network) usage() (drawing string, reserved int, external []string) {
	var b strings.Builder
	for i := range n.used {
		mark := byte('.')
		if n.external[i] {
			external = append(external, n.address(i))
		}
		if n.used[i] || n.external[i] {
			mark = 'X'
			reserved++
		}
		b.WriteByte(mark)
	}
	return b.String(), reserved, external
}

func (c *Cluster) appendNetwork(b []byte, n *network) []byte {
	w := writer(b)
	start := len(w)
	drawing, reserved, external := n.usage()
	w.open('{')
	w.key("name")
	w.string(n.name)
	w.key("network")
	w.string(n.prefix.String())
	w.key("gateway")
	w.stringOrNull(n.gatewayText())
	w.key("network6")
	w.stringOrNull(n.prefix6)
	w.key("gateway6")
	w.null()
	w.key("mac_prefix")
	w.string(macPrefix)
	w.key("free_count")
	w.int(len(n.used) - reserved)
	w.key("reserved_count")
	w.int(reserved)
	w.key("map")
	w.string(drawing)
	w.key("group_list")
	writeList(&w, c.connected(), func(g *group) {
		w.strings([]string{g.name, "bridged", "br0", ""})
	})
	w.key("inst_list")
	w.strings(c.attached(n))
	w.key("external_reservations")
	w.string(strings.Join(external, ", "))
	writeStamps(&w, n.ctime, n.mtime, n.uuid, n.serial, n.tags)
	w.close('}')
	return edited(w, start, n.edit)
}

func (n *network) gatewayText() string {
	if !n.gateway.IsValid() {
		return ""
	}
	return n.gateway.String()
}

// connected lists the groups a network is connected to (all of them), ordered
// by uuid as in Ganeti's configuration.
func (c *Cluster) connected() []*group {
	groups := slices.Clone(c.groups)
	slices.SortFunc(groups, func(a, b *group) int { return cmp.Compare(a.uuid, b.uuid) })
	return groups
}

// attached names the instances with an interface in n, ordered by their uuid.
func (c *Cluster) attached(n *network) []string {
	var in []*instance
	c.list.each(func(v *instance) {
		if slices.ContainsFunc(v.nics, func(i nic) bool { return i.network == n }) {
			in = append(in, v)
		}
	})
	slices.SortFunc(in, func(a, b *instance) int { return cmp.Compare(a.uuid, b.uuid) })
	names := make([]string, len(in))
	for i, v := range in {
		names[i] = v.name
	}
	return names
}

func (n *network) export() Network {
	_, reserved, _ := n.usage()
	return Network{
		UUID: n.uuid, Name: n.name, Network: n.prefix.String(), Gateway: n.gatewayText(),
		Network6: n.prefix6, MACPrefix: macPrefix, FreeCount: len(n.used) - reserved, ReservedCount: reserved,
		Tags: slices.Clone(n.tags), SerialNo: n.serial, CTime: n.ctime, MTime: n.mtime,
	}
}
