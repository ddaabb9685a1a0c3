package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"syscall"
)

// outageSteps are the misbehaviours of Ganeti's daemons, and of a node.
func outageSteps() []step {
	return []step{
		{name: "luxid stopped", mayFail: []string{"status"}, play: func(ctx context.Context, s *scene) error {
			return s.outage(ctx, "status",
				func() error { return s.master.stop(ctx, "ganeti-luxid") },
				func() error { return s.master.start(ctx, "ganeti-luxid") })
		}},
		{name: "luxid hung", mayFail: []string{"timeout"}, play: func(ctx context.Context, s *scene) error {
			return s.outage(ctx, "timeout",
				func() error { return s.master.signal("ganeti-luxid", syscall.SIGSTOP) },
				func() error { return s.master.signal("ganeti-luxid", syscall.SIGCONT) })
		}},
		{name: "luxid's socket missing", mayFail: []string{"status"}, play: func(ctx context.Context, s *scene) error {
			socket := s.master.luxiSocket()
			return s.outage(ctx, "status",
				func() error { return os.Rename(socket, socket+".away") },
				func() error { return os.Rename(socket+".away", socket) })
		}},
		{name: "RAPI stopped", mayFail: []string{"unreachable"}, play: func(ctx context.Context, s *scene) error {
			return s.outage(ctx, "unreachable",
				func() error { return s.master.stop(ctx, "ganeti-rapi") },
				func() error { return s.master.start(ctx, "ganeti-rapi") })
		}},
		{name: "noded stopped on node2", play: func(ctx context.Context, s *scene) error {
			n := nodeNumber(2)
			return s.lost(ctx, n, nodeDown,
				func() error { return n.stop(ctx, "ganeti-noded") },
				func() error { return n.start(ctx, "ganeti-noded") })
		}},
		{name: "noded hung on node2", play: func(ctx context.Context, s *scene) error {
			n := nodeNumber(2)
			return s.lost(ctx, n, nodeDown,
				func() error { return n.signal("ganeti-noded", syscall.SIGSTOP) },
				func() error { return n.signal("ganeti-noded", syscall.SIGCONT) })
		}},
		{name: "node2 offline", play: func(ctx context.Context, s *scene) error {
			n := nodeNumber(2)
			return s.lost(ctx, n, "ERROR_nodeoffline",
				func() error { return s.master.run(ctx, "gnt-node", "modify", "--offline=yes", n.name) },
				func() error { return s.master.run(ctx, "gnt-node", "modify", "--force", "--offline=no", n.name) })
		}},
	}
}

// lost takes a node away and brings it back. RAPI goes on answering, so the databases have to follow: each instance of
// the node gets the status once, and its old one once.
func (s *scene) lost(ctx context.Context, n node, status string, begin, end func() error) error {
	instances, err := s.rapi.list(ctx, "/2/instances")
	if err != nil {
		return err
	}
	var gone, back []want
	for _, i := range instances {
		if i["pnode"] == n.name {
			name := fmt.Sprint(i["name"])
			gone = append(gone, became(name, "status", status))
			back = append(back, became(name, "status", i["status"]))
		}
	}
	err = begin()
	if err == nil {
		err = s.agree(ctx, gone...)
	}
	if err := errors.Join(err, end()); err != nil {
		return err
	}
	return s.agree(ctx, back...)
}

// killKVM lets a guest of Ganeti's KVM code die, and starts it again through RAPI.
func killKVM(ctx context.Context, s *scene) error {
	name := vmName(3) // runs on node4, hypervisor kvm
	if err := signalPIDFile(nodeNumber(4).path("var/run/ganeti/kvm-hypervisor/pid", name), syscall.SIGKILL); err != nil {
		return err
	}
	if err := s.agree(ctx, became(name, "status", "ERROR_down")); err != nil {
		return err
	}
	if err := s.rapi.change(ctx, http.MethodPut, "/2/instances/"+name+"/startup", nil); err != nil {
		return err
	}
	return s.agree(ctx, became(name, "status", "running"))
}
