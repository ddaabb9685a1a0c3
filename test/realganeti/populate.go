package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
)

// populate gives the empty cluster networks, a second group, tags and instances of all sorts. What is there already stays.
func populate(ctx context.Context, r *rapi, instances int) error {
	have, err := r.list(ctx, "/2/instances")
	if err != nil {
		return err
	}
	if len(have) > 0 {
		return nil
	}
	if err := populateSurroundings(ctx, r); err != nil {
		return err
	}
	var specs []object
	for i := 1; i <= instances; i++ {
		specs = append(specs, instanceSpec(i))
	}
	return createAll(ctx, r, specs, 12)
}

func populateSurroundings(ctx context.Context, r *rapi) error {
	type change struct {
		method, path string
		body         any
	}
	changes := []change{
		{http.MethodPost, "/2/networks", object{
			"network_name": "net1", "network": "10.98.64.0/20", "gateway": "10.98.64.1", "mac_prefix": "aa:bb:cc", "tags": []string{"env:prod"},
		}},
		{http.MethodPost, "/2/networks", object{"network_name": "net2", "network": "10.98.80.0/20", "network6": "fd98::/64"}},
		{http.MethodPost, "/2/groups", object{"group_name": "rack2", "alloc_policy": "preferred"}},
		{http.MethodPut, "/2/groups/rack2/assign-nodes?force=1", object{"nodes": []string{nodeName(4)}}},
		{http.MethodPut, "/2/groups/rack2/tags?tag=site:b", nil},
		{http.MethodPut, "/2/tags?tag=cluster:trial&tag=owner:gwm", nil},
		{http.MethodPut, "/2/nodes/" + nodeName(1) + "/tags?tag=rack:1", nil},
	}
	for _, network := range []string{"net1", "net2"} {
		for _, group := range []string{"default", "rack2"} {
			changes = append(changes, change{http.MethodPut, "/2/networks/" + network + "/connect", object{
				"group_name": group, "network_mode": "bridged", "network_link": "guests0",
			}})
		}
	}
	for _, c := range changes {
		if err := r.change(ctx, c.method, c.path, c.body); err != nil {
			return err
		}
	}
	return nil
}

// createAll creates instances, at most so many at a time.
func createAll(ctx context.Context, r *rapi, specs []object, together int) error {
	for batch := range slices.Chunk(specs, together) {
		var jobs []string
		for _, spec := range batch {
			id, err := r.submit(ctx, http.MethodPost, "/2/instances", spec)
			if err != nil {
				return err
			}
			jobs = append(jobs, id)
		}
		if err := r.waitAll(ctx, jobs); err != nil {
			return err
		}
	}
	return nil
}

// guestOS is a variant of the operating system that up.sh made.
func guestOS(variant string) string { return os.Getenv("E2E_NAME") + "+" + variant }

// vmName is the name of the i-th instance.
func vmName(i int) string { return fmt.Sprintf("vm%02d.%s", i, os.Getenv("E2E_DOMAIN")) }

// instanceSpec is the i-th instance: hypervisors, disks, NICs, tags and states vary with i, so that every column has
// every sort of value somewhere.
func instanceSpec(i int) object {
	memory := []int{64, 128, 192, 256}[i%4]
	spec := object{
		"__version__": 1, "mode": "create", "instance_name": vmName(i), "hypervisor": "fake",
		"os_type": guestOS([]string{"default", "bookworm", "trixie"}[i%3]),
		"pnode":   nodeName(1 + i%4), "disk_template": "diskless", "disks": []object{}, "nics": nics(i),
		"beparams": object{"vcpus": 1 + i%8, "minmem": memory / 2, "maxmem": memory},
		"start":    i%4 != 0, "name_check": false, "ip_check": false, "ignore_ipolicy": true, "conflicts_check": false,
	}
	switch i % 5 {
	case 1:
		spec["disk_template"], spec["disks"] = "file", []object{{"size": 16 + i}}
	case 2:
		spec["disk_template"], spec["disks"] = "sharedfile", []object{{"size": 16}, {"size": 32, "name": "data"}}
	case 3:
		spec["hypervisor"], spec["hvparams"] = "kvm", object{"vnc_bind_address": "0.0.0.0"}
	}
	switch i % 3 {
	case 1:
		spec["tags"] = []string{"env:prod"}
	case 2:
		spec["tags"] = []string{"backup", "env:dev", fmt.Sprintf("owner:team-%d", i%7)}
	}
	return spec
}

func nics(i int) []object {
	switch i % 5 {
	case 0:
		return []object{}
	case 1:
		return []object{{}}
	case 2:
		return []object{{"network": "net1", "ip": "pool"}}
	case 3:
		return []object{{"mode": "bridged", "link": "guests0", "name": "eth-a"}, {"network": "net2"}}
	default:
		return []object{{"mode": "routed", "link": "100", "ip": fmt.Sprintf("10.97.0.%d", i)}, {}}
	}
}
