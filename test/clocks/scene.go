package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ganeticache/db"
	"ganeticache/ganeti/rapisim"
	"ganeticache/test/trial"
)

const (
	// interval is that of the schedule, lease the lease time.
	interval = 2 * time.Second
	lease    = 5 * time.Second
	// wrong is how long a clock is wrong, at least.
	wrong = 5 * time.Second
)

// scene is one clock that is set by so much for a while, and then back.
type scene struct {
	database string
	replicas int
	whose    string
	by       time.Duration
	program  string
	dir      string

	farm   *rapisim.Farm
	server *server
	// standby takes over in the scene of that name.
	standby *server
	url     string
	clock   *trial.Clock
	ports   []int
	running []*exec.Cmd
	retags  int

	reads, stale, refused int
}

func (s *scene) play(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	defer s.end()
	if err := s.begin(ctx); err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	for _, step := range []struct {
		name string
		set  func() error
	}{
		{"with all clocks right", func() error { return nil }},
		{"while the clock is wrong", s.set},
		{"when the clock is right again", s.setBack},
	} {
		if err := step.set(); err != nil {
			return err
		}
		if err := s.watch(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	if s.stale > 0 {
		return fmt.Errorf("%d of %d answers to cache=refresh were of before the question", s.stale, s.reads)
	}
	return s.nothingLost(ctx)
}

func (s *scene) begin(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil { //nolint:gosec // the servers' user must get through
		return err
	}
	if err := s.openDatabase(ctx); err != nil {
		return err
	}
	if s.farm, err = rapisim.NewFarm(4, rapisim.Options{Seed: 1, VMs: 8}); err != nil {
		return err
	}
	if s.clock, err = trial.NewClock(s.dir, "replica"); err != nil {
		return err
	}
	for i := range s.replicas {
		if err := s.startUpdater(ctx, i); err != nil {
			return err
		}
	}
	if err := s.await(ctx, time.Minute, "SELECT count(*) FROM virtual_machines", 4*8); err != nil {
		return err
	}
	return s.prepare(ctx)
}

func (s *scene) openDatabase(ctx context.Context) (err error) {
	if s.database == "sqlite" {
		s.url = "sqlite:" + filepath.Join(s.dir, "cache.db")
		return nil
	}
	if s.server, err = newServer(ctx, filepath.Join(s.dir, "pg"), s.whose == "database"); err != nil {
		return err
	}
	if err := errors.Join(s.server.initialize(ctx), s.server.start(ctx)); err != nil {
		return err
	}
	s.url = s.server.url()
	if s.whose != "standby" {
		return nil
	}
	if s.standby, err = newServer(ctx, filepath.Join(s.dir, "standby"), true); err != nil {
		return err
	}
	err = s.standby.run(ctx, "pg_basebackup", "--pgdata="+s.standby.data(), "--host=127.0.0.1", "--port="+strconv.Itoa(s.server.port),
		"--username=postgres", "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
	if err := errors.Join(err, s.standby.set(s.by), s.standby.start(ctx)); err != nil {
		return err
	}
	s.url = fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres?sslmode=disable&target_session_attrs=read-write",
		s.server.port, s.standby.port)
	return nil
}

func (s *scene) startUpdater(ctx context.Context, i int) error {
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte("secret"), 0o600); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "database_url: %q\nschedule: \"@every %s\"\nlease: %s\nrefresh_budget: off\nlisten: \"127.0.0.1:%d\"\nlog: {format: json}\nclusters:\n",
		s.url, interval, lease, port)
	for _, server := range s.farm.Servers() {
		fmt.Fprintf(&b, "  - {name: %s, rapi: %q, username: gwm, password_file: %q, tls: {pin_sha256: %q}}\n",
			server.Cluster().Name(), server.URL(), password, server.Pin())
	}
	file := filepath.Join(s.dir, fmt.Sprintf("updater%d", i))
	if err := os.WriteFile(file+".yaml", []byte(b.String()), 0o600); err != nil {
		return err
	}
	log, err := os.Create(file + ".log") //nolint:gosec // in the trial's own directory
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, s.program, "--config", file+".yaml") //nolint:gosec // the program on trial
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = os.Environ()
	if i == 0 {
		cmd.Env = append(cmd.Env, s.clock.Env())
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.ports, s.running = append(s.ports, port), append(s.running, cmd)
	return nil
}

// prepare makes what could get lost: a grant on a VM that lives, and one on a tombstone of ten days.
func (s *scene) prepare(ctx context.Context) error {
	cluster := s.farm.Servers()[0].Cluster()
	gone := cluster.Instances()[7].Name
	return s.open(ctx, func(store *db.Store) error {
		for _, vm := range []string{s.vm(), gone} {
			if _, err := store.Grant(ctx, db.Grant{Subject: "trial", Permission: "owner", Cluster: cluster.Name(), VM: vm}); err != nil {
				return err
			}
		}
		if err := cluster.Remove(gone); err != nil {
			return err
		}
		if err := s.await(ctx, 20*time.Second, "SELECT count(*) FROM virtual_machines WHERE deleted_at IS NOT NULL", 1); err != nil {
			return err
		}
		w := store.Writer()
		_, err := w.ExecContext(ctx, w.Rebind("UPDATE virtual_machines SET deleted_at = ? WHERE deleted_at IS NOT NULL"), time.Now().UTC().Add(-10*day))
		return err
	})
}

// vm is the VM that changes.
func (s *scene) vm() string { return s.farm.Servers()[0].Cluster().Instances()[0].Name }

func (s *scene) set() error {
	switch s.whose {
	case "updater":
		return s.clock.Shift(s.by)
	case "database":
		return s.server.set(s.by)
	default:
		s.server.kill()
		return s.standby.run(context.Background(), "pg_ctl", "promote", "--pgdata="+s.standby.data())
	}
}

func (s *scene) setBack() error {
	switch s.whose {
	case "updater":
		return s.clock.Shift(0)
	case "database":
		return s.server.set(0)
	default:
		return s.standby.set(0)
	}
}

// watch changes the VM and has it read by those who insist, for as long as a clock is wrong; then it leaves it to the
// schedule. After a promotion the updater has to find the new primary first.
func (s *scene) watch(ctx context.Context) error {
	if s.whose == "standby" {
		if err := s.scheduled(ctx, 30*time.Second); err != nil {
			return err
		}
	}
	for end := time.Now().Add(wrong); time.Now().Before(end); {
		if err := s.insist(ctx); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return s.scheduled(ctx, 2*interval+time.Second)
}

// retag changes the VM and gives the tag that it has now.
func (s *scene) retag() (string, error) {
	s.retags++
	tag := fmt.Sprint("change-", s.retags)
	return tag, s.farm.Servers()[0].Cluster().Retag(s.vm(), tag)
}

// scheduled wants a change in the rows in time, without anybody asking.
func (s *scene) scheduled(ctx context.Context, limit time.Duration) error {
	tag, err := s.retag()
	if err != nil {
		return err
	}
	if err := s.await(ctx, limit, "SELECT count(*) FROM virtual_machines WHERE CAST(tags AS TEXT) LIKE '%"+tag+"%'", 1); err != nil {
		return fmt.Errorf("the schedule brings no change: %w", err)
	}
	return nil
}

// insist changes the VM and then asks each replica for what is true.
func (s *scene) insist(ctx context.Context) error {
	tag, err := s.retag()
	if err != nil {
		return err
	}
	port := s.ports[s.retags%len(s.ports)]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		fmt.Sprintf("http://127.0.0.1:%d/v1/vms?cache=refresh&cluster=%s&name=%s", port,
			url.QueryEscape(s.farm.Servers()[0].Cluster().Name()), url.QueryEscape(s.vm())), http.NoBody)
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	s.reads++
	var body struct {
		Items []struct {
			Tags []string `json:"tags"`
		} `json:"items"`
	}
	if resp.StatusCode != http.StatusOK {
		s.refused++
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return err
	}
	if len(body.Items) != 1 || len(body.Items[0].Tags) != 1 || body.Items[0].Tags[0] != tag {
		s.stale++
	}
	return nil
}

// nothingLost looks for the tombstone and the grants.
func (s *scene) nothingLost(ctx context.Context) error {
	if 10*s.refused > s.reads {
		return fmt.Errorf("%d of %d readers got no answer", s.refused, s.reads)
	}
	return errors.Join(
		s.await(ctx, time.Second, "SELECT count(*) FROM virtual_machines WHERE deleted_at IS NOT NULL", 1),
		s.await(ctx, time.Second, "SELECT count(*) FROM virtual_machines", 4*8),
		s.await(ctx, time.Second, "SELECT count(*) FROM permissions WHERE subject = 'trial'", 2))
}

// await waits until a query counts so many.
func (s *scene) await(ctx context.Context, limit time.Duration, query string, want int) error {
	return s.open(ctx, func(store *db.Store) error {
		return await(ctx, limit, func() error {
			var n int
			if err := store.DB().GetContext(ctx, &n, query); err != nil {
				return err
			}
			if n != want {
				return fmt.Errorf("%s gives %d, want %d", query, n, want)
			}
			return nil
		})
	})
}

func (s *scene) open(ctx context.Context, use func(*db.Store) error) error {
	var store *db.Store
	err := await(ctx, time.Minute, func() (err error) {
		if store, err = db.Open(ctx, s.url, db.Options{MaxConns: 1}); err != nil {
			return err
		}
		if err := store.CheckSchema(ctx); err != nil {
			return errors.Join(err, store.Close())
		}
		return nil
	})
	if err != nil {
		return err
	}
	return errors.Join(use(store), store.Close())
}

// end stops everything.
func (s *scene) end() {
	for _, cmd := range s.running {
		cmd.Process.Kill() //nolint:errcheck,gosec // it may be gone
		cmd.Wait()         //nolint:errcheck,gosec // likewise
	}
	for _, server := range []*server{s.server, s.standby} {
		if server != nil {
			server.kill()
		}
	}
	if s.farm != nil {
		s.farm.Close()
	}
}
