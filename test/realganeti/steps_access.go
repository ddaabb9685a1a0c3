package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// accessSteps are trouble on the way to RAPI: credentials, and its 20 clients.
func accessSteps() []step {
	return []step{
		{name: "users file changed", mayFail: []string{"unauthorized"}, play: func(ctx context.Context, s *scene) error {
			return s.outage(ctx, "unauthorized",
				func() error { return s.writeUsers(withPassword(s.users, rand.Text())) },
				func() error { return s.writeUsers(s.users) })
		}},
		{name: "a new password", mayFail: []string{"unauthorized"}, play: func(ctx context.Context, s *scene) error {
			password := rand.Text()
			users := withPassword(s.users, password)
			return s.outage(ctx, "unauthorized",
				func() error { return s.writeUsers(users) },
				func() error {
					s.users = users
					return writePassword(s.passwordFile, password)
				})
		}},
		{name: "21 idle connections", play: idleConnections},
		{name: "12 jobs at once", play: manyJobs},
	}
}

// withPassword gives the updaters' user another password.
func withPassword(users []string, password string) []string {
	changed := slices.Clone(users)
	for i, line := range changed {
		if strings.HasPrefix(line, "gwm ") {
			changed[i] = "gwm " + password
		}
	}
	return changed
}

// idleConnections takes every client that RAPI serves. A handshake has to wait for 10 s then, and must succeed.
func idleConnections(ctx context.Context, s *scene) (err error) {
	if err := s.afterRefresh(ctx); err != nil {
		return err
	}
	var idle []net.Conn
	defer func() {
		for _, c := range idle {
			err = errors.Join(err, c.Close())
		}
	}()
	for range 21 {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(s.rapi.host, rapiPort))
		if err != nil {
			return fmt.Errorf("opening an idle connection: %w", err)
		}
		idle = append(idle, c)
	}
	return s.agree(ctx)
}

// manyJobs lets Ganeti create 12 instances and remove them again while it is asked.
func manyJobs(ctx context.Context, s *scene) error {
	const first, count = 50, 12
	var specs []object
	var makes, goes []want
	for i := first; i < first+count; i++ {
		specs = append(specs, instanceSpec(i))
		makes = append(makes, created("vm", vmName(i)))
		goes = append(goes, removed("vm", vmName(i)))
	}
	if err := createAll(ctx, s.rapi, specs, count); err != nil {
		return err
	}
	if err := s.agree(ctx, makes...); err != nil {
		return err
	}
	var jobs []string
	for i := first; i < first+count; i++ {
		id, err := s.rapi.submit(ctx, http.MethodDelete, "/2/instances/"+vmName(i), nil)
		if err != nil {
			return err
		}
		jobs = append(jobs, id)
	}
	if err := s.rapi.waitAll(ctx, jobs); err != nil {
		return err
	}
	return s.agree(ctx, goes...)
}

// failoverSteps move the master to node2, whose RAPI has another address, and back.
func failoverSteps() []step {
	to := func(n int) func(context.Context, *scene) error {
		return func(ctx context.Context, s *scene) error {
			next := nodeNumber(n)
			if err := next.run(ctx, "gnt-cluster", "master-failover"); err != nil {
				return err
			}
			s.master, s.rapi.host = next, next.addr
			// A master knows only the jobs of the time in which its node was a candidate.
			return s.agree(ctx, want{kind: "job", silent: true})
		}
	}
	// While the master moves, RAPI is away, or there without a luxid behind it.
	reasons := []string{"unreachable", "status", "timeout", "truncated"}
	return []step{
		{name: "master failover to node2", mayFail: reasons, play: to(2)},
		{name: "master failover back", mayFail: reasons, play: to(1)},
	}
}
