package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
)

// firstStep is always played: it begins the ledgers.
const firstStep = "first look"

// steps lists the whole trial, in order.
func steps() []step {
	first := []step{{name: firstStep, play: firstLook}}
	return slices.Concat(first, lifeSteps(), surroundingSteps(), stateSteps(), outageSteps(), accessSteps(), failoverSteps())
}

// firstLook compares everything for the first time: all instances are new, and so the changes say.
func firstLook(ctx context.Context, s *scene) error {
	instances, err := s.rapi.list(ctx, "/2/instances")
	if err != nil {
		return err
	}
	var wants []want
	for _, i := range instances {
		wants = append(wants, created("vm", fmt.Sprint(i["name"])))
	}
	return s.agree(ctx, wants...)
}

// guest is the instance that the steps of its life happen to; afterwards it has another name.
func guest() string      { return "guest." + os.Getenv("E2E_DOMAIN") }
func guestLater() string { return "guest-later." + os.Getenv("E2E_DOMAIN") }

// lifeSteps is the life of one instance, from its creation to its removal.
func lifeSteps() []step {
	const instances = "/2/instances"
	path := instances + "/" + guest()
	tag := func(tags ...string) want { return became(guest(), "tags", toAny(tags)) }
	return []step{
		change("create", http.MethodPost, instances, object{
			"__version__": 1, "mode": "create", "instance_name": guest(), "disk_template": "sharedfile", "disks": []object{{"size": 16}},
			"nics": []object{{}}, "pnode": nodeName(1), "hypervisor": "fake", "os_type": guestOS("default"), "start": true,
			"name_check": false, "ip_check": false,
		}, created("vm", guest())),
		change("stop", http.MethodPut, path+"/shutdown", object{}, became(guest(), "admin_state", "down")),
		change("start", http.MethodPut, path+"/startup", nil, became(guest(), "admin_state", "up")),
		change("reboot", http.MethodPost, path+"/reboot?type=hard", nil, mayPass(guest())),
		change("add tags", http.MethodPut, path+"/tags?tag=a:b&tag=c", nil, tag("a:b", "c")),
		change("delete a tag", http.MethodDelete, path+"/tags?tag=c", nil, tag("a:b")),
		change("more vcpus", http.MethodPut, path+"/modify", object{"beparams": object{"vcpus": 3}}, became(guest(), "vcpus", json.Number("3"))),
		change("add a NIC", http.MethodPut, path+"/modify", object{
			"nics": []any{[]any{"add", -1, object{"network": "net1", "ip": "pool"}}}, coldPlug(): false,
		}, became(guest(), "nic_networks", []any{nil, "net1"})),
		change("migrate live", http.MethodPut, path+"/migrate",
			object{"mode": "live", "target_node": nodeName(2), "allow_failover": true}, became(guest(), "primary_node", nodeName(2))),
		change("fail over", http.MethodPut, path+"/failover", object{"target_node": nodeName(3)}, became(guest(), "primary_node", nodeName(3))),
		change("stop again", http.MethodPut, path+"/shutdown", object{}, became(guest(), "admin_state", "down")),
		change("grow the disk", http.MethodPost, path+"/disk/0/grow", object{"amount": 16}, became(guest(), "disk_mib", json.Number("32"))),
		change("rename", http.MethodPut, path+"/rename", object{"new_name": guestLater(), "ip_check": false, "name_check": false},
			renamed("vm", guestLater()), mayPass(guest())),
		change("set offline", http.MethodPut, instances+"/"+guestLater()+"/modify", object{"offline": true},
			became(guestLater(), "admin_state", "offline")),
		change("set online", http.MethodPut, instances+"/"+guestLater()+"/modify", object{"offline": false},
			became(guestLater(), "admin_state", "down")),
		change("remove", http.MethodDelete, instances+"/"+guestLater(), nil, removed("vm", guestLater())),
	}
}

// coldPlug is the parameter that, when false, has a device come with the next start: 3.1 has another name for it.
func coldPlug() string {
	if os.Getenv("E2E_VERSION") == "3.0" {
		return "hotplug_if_possible"
	}
	return "hotplug"
}

// surroundingSteps change what is around the instances. Each object's own change is replayed by the ledger.
func surroundingSteps() []step {
	return []step{
		change("cluster tag", http.MethodPut, "/2/tags?tag=zz", nil),
		change("cluster tag deleted", http.MethodDelete, "/2/tags?tag=zz", nil),
		change("node tag", http.MethodPut, "/2/nodes/"+nodeName(3)+"/tags?tag=rack:3", nil,
			want{kind: "node", name: nodeName(3), op: "updated", field: "tags", value: []any{"rack:3"}}),
		change("make a group", http.MethodPost, "/2/groups", object{"group_name": "rack3"}, created("group", "rack3")),
		change("rename the group", http.MethodPut, "/2/groups/rack3/rename", object{"new_name": "rack4"}, renamed("group", "rack4")),
		change("remove the group", http.MethodDelete, "/2/groups/rack4", nil, removed("group", "rack4")),
		change("make a network", http.MethodPost, "/2/networks", object{"network_name": "net3", "network": "10.96.0.0/24"}, created("network", "net3")),
		change("remove the network", http.MethodDelete, "/2/networks/net3", nil, removed("network", "net3")),
	}
}

// change is a step that is one job of Ganeti.
func change(name, method, path string, body any, wants ...want) step {
	return step{name: name, play: func(ctx context.Context, s *scene) error {
		if err := s.rapi.change(ctx, method, path, body); err != nil {
			return err
		}
		return s.agree(ctx, wants...)
	}}
}

// stateSteps change what runs without asking Ganeti, so that no serial number and no mtime moves.
func stateSteps() []step {
	victim := vmName(1) // runs on node2, hypervisor fake
	home, away := nodeNumber(2).guestFile(victim), nodeNumber(3).guestFile(victim)
	move := func(from, to, status string) func(context.Context, *scene) error {
		return func(ctx context.Context, s *scene) error {
			if err := os.Rename(from, to); err != nil { //nolint:gosec // files of the cluster
				return fmt.Errorf("moving a guest: %w", err)
			}
			return s.agree(ctx, became(victim, "status", status))
		}
	}
	hidden := filepath.Join(os.Getenv("E2E_ROOT"), "hidden-guest")
	return []step{
		{name: "a guest dies", play: move(home, hidden, "ERROR_down")},
		{name: "it runs on a wrong node", play: move(hidden, away, "ERROR_wrongnode")},
		{name: "it is back at home", play: move(away, home, "running")},
		{name: "a kvm guest is killed, started again", play: killKVM},
	}
}

func toAny(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
