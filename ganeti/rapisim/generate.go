package rapisim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// NewCluster makes a cluster from its options, always the same from the same.
func NewCluster(o Options) *Cluster {
	c := &Cluster{opts: o.withDefaults()}
	c.generate()
	c.doze()
	return c
}

// generate makes the world as it is before any change.
func (c *Cluster) generate() {
	o := c.opts
	c.world = &world{
		rng:    rand.New(rand.NewPCG(o.Seed, 0x67616e657469)),
		clock:  time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC),
		tags:   []string{"cluster:" + strings.SplitN(o.Name, ".", 2)[0], "owner:gwm"},
		guests: guests(),
		byName: make(map[string]*instance, o.VMs),
		byUUID: make(map[string]*instance, o.VMs),
		ready:  make(map[string][]byte),
	}
	c.uuid = c.newUUID()
	c.ctime = c.past()
	c.mtime = c.ctime
	for i := range o.Groups {
		c.groups = append(c.groups, c.newGroup(i))
	}
	for i := range o.Nodes {
		c.nodes = append(c.nodes, c.newNode(fmt.Sprintf("node%d.%s", i+1, o.Domain), c.groups[i%o.Groups]))
	}
	c.master = c.nodes[0]
	for i := range o.Networks {
		c.networks = append(c.networks, c.newNetwork(fmt.Sprintf("net%d", i+1)))
	}
	for range o.VMs {
		c.admit(c.newInstance(c.nextName()))
	}
	slices.SortFunc(c.all, func(a, b *instance) int { return compareNames(a.name, b.name) })
	for i, v := range c.all {
		v.slot = i
	}
	c.list.load(c.all)
	c.recallJobs()
}

func domainOf(name string) string {
	if _, rest, found := strings.Cut(name, "."); found {
		return rest
	}
	return name
}

// admit enters v into everything but the listing.
func (c *Cluster) admit(v *instance) {
	v.slot = len(c.all)
	c.all = append(c.all, v)
	c.byName[v.name], c.byUUID[v.uuid] = v, v
}

func (c *Cluster) nextName() string {
	for {
		c.serial++
		name := fmt.Sprintf("inst%04d.%s", c.serial, c.opts.Domain)
		if _, taken := c.byName[name]; !taken {
			return name
		}
	}
}

func (c *Cluster) newUUID() string {
	a, b := c.rng.Uint64(), c.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// past is a time in the two years before the cluster's clock.
func (c *Cluster) past() float64 {
	return c.stamp() - float64(c.rng.Int64N(2*365*86400*1e6))/1e6
}

func (c *Cluster) newGroup(i int) *group {
	g := &group{uuid: c.newUUID(), name: "default", policy: "preferred", serial: 1 + c.rng.IntN(5)}
	g.mtime = c.past()
	if i > 0 {
		g.name, g.ctime = fmt.Sprintf("rack%d", i+1), g.mtime
		g.tags = []string{"site:" + string(rune('a'+i%26))}
	}
	return g
}

func (c *Cluster) newNode(name string, g *group) *node {
	i := c.nodesMade
	c.nodesMade++
	n := &node{
		uuid: c.newUUID(), name: name, group: g, serial: 1,
		ip:     address(10, 99, 10+i),
		memory: 786432, system: 400 + c.rng.IntN(200), cpus: 64, sockets: 2,
		diskMiB: 4 << 20, freeMiB: 1<<20 + c.rng.IntN(1<<20),
	}
	n.ctime = c.past()
	n.mtime = n.ctime
	if i == 0 {
		n.tags = []string{"rack:1"}
	}
	return n
}

// address is the IPv4 address a.b.0.0 plus an offset of less than 65,536.
func address(a, b, offset int) string {
	return fmt.Sprintf("%d.%d.%d.%d", a, b, offset>>8&0xff, offset&0xff)
}

func (c *Cluster) newNetwork(name string) *network {
	i := c.networksMade
	c.networksMade++
	base := netip.MustParseAddr(address(10, 100+i/16%100, i%16<<12))
	n := &network{
		uuid: c.newUUID(), name: name, prefix: netip.PrefixFrom(base, 20), serial: 1,
		external: make([]bool, 4096), used: make([]bool, 4096),
	}
	n.external[0], n.external[4095] = true, true
	if i%2 == 0 {
		n.external[1], n.gateway, n.tags = true, base.Next(), []string{"env:prod"}
	} else {
		n.prefix6 = fmt.Sprintf("fd99:%x::/64", i)
	}
	n.ctime = c.past()
	n.mtime = n.ctime
	return n
}

// newInstance makes an instance of the mixture that the recorded cluster of
// 489 has: sizes, interfaces, disks, tags, and how many of them run.
func (c *Cluster) newInstance(name string) *instance {
	i := c.serial
	v := &instance{
		uuid: c.newUUID(), name: name, admin: "up", guest: c.guests[0], serial: 2 + c.rng.IntN(4),
		os: []string{"debootstrap+bookworm", "debootstrap+default", "debootstrap+trixie"}[i%3],
		be: beparams{maxmem: []int{64, 128, 192, 256}[i%4], vcpus: 1 + i%8},
	}
	usable := c.usable()
	v.node = usable[c.rng.IntN(len(usable))]
	v.be.minmem = v.be.maxmem / 2
	v.be.noBalance, v.be.alwaysFailover = i%7 == 6, i%9 == 8
	if i%11 == 10 {
		v.be.spindles = 3
	}
	if share := c.opts.KVMShare; int(float64(i)*share) > int(float64(i-1)*share) {
		v.guest, v.port = c.guests[1+c.rng.IntN(len(c.guests)-1)], 11000+i%50000
	}
	v.ctime = c.past()
	v.mtime = v.ctime + float64(c.rng.Int64N(86400*1e6))/1e6
	c.addDisks(v, i)
	c.addNICs(v, i)
	v.tags = []string{"env:" + []string{"prod", "dev"}[i%2]}
	switch c.rng.IntN(10) {
	case 0:
		v.tags = nil
	case 1, 2, 3:
		v.tags = []string{"backup", v.tags[0], fmt.Sprintf("owner:team-%d", c.rng.IntN(8))}
	}
	switch n := c.rng.IntN(100); {
	case n < 24:
		v.admin, v.serial = "down", 1+c.rng.IntN(4)
	case n < 26:
		v.admin = "offline"
	case n < 28:
		v.runtime = dead
	}
	v.ram, v.vcpus = v.be.maxmem, v.be.vcpus
	return v
}

func (c *Cluster) addDisks(v *instance, i int) {
	v.template = []string{"diskless", "file", "diskless", "sharedfile", "diskless"}[i%5]
	if share := c.opts.DRBDShare; len(c.nodes) > 1 && int(float64(i)*share) > int(float64(i-1)*share) {
		v.template = "drbd"
		others := len(c.nodes) - 1
		v.second = c.nodes[(slices.Index(c.nodes, v.node)+1+c.rng.IntN(others))%len(c.nodes)]
	}
	if v.template == "diskless" {
		return
	}
	for d := range 1 + c.rng.IntN(3) {
		v.disks = append(v.disks, disk{uuid: c.newUUID(), mib: 16 * (1 + (i+d)%4)})
		if d > 0 {
			v.disks[d].name = fmt.Sprintf("disk-%d", d)
		}
	}
}

func (c *Cluster) addNICs(v *instance, i int) {
	add := func(n nic) {
		n.uuid = c.newUUID()
		prefix := "aa:00:00"
		if n.network != nil {
			prefix = macPrefix
		}
		r := c.rng.Uint32()
		n.mac = fmt.Sprintf("%s:%02x:%02x:%02x", prefix, r>>16&0xff, r>>8&0xff, r&0xff)
		if n.mode == "" {
			n.mode, n.link = "bridged", "br0"
		}
		if n.params == "" {
			n.params = "{}"
		}
		v.nics = append(v.nics, n)
	}
	const connected = `{"mode": "bridged", "link": "br0", "vlan": ""}`
	kind := i % 6
	if len(c.networks) == 0 && (kind == 2 || kind == 3) {
		kind = 0
	}
	switch kind {
	case 2:
		n := c.networks[i%len(c.networks)]
		add(nic{network: n, ip: n.take(), params: connected})
	case 3:
		add(nic{name: "eth-a", params: `{"mode": "bridged", "link": "br0"}`})
		add(nic{network: c.networks[i%len(c.networks)], params: connected})
	case 4:
		add(nic{mode: "routed", link: "100", ip: address(10, 200, i), params: `{"mode": "routed", "link": "100"}`})
		add(nic{})
		add(nic{})
	case 5: // none at all
	default:
		add(nic{})
	}
}
