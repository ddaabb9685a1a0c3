package rapisim

import (
	"fmt"
	"strings"
	"time"
)

// job is a finished job of the queue, as the bulk answer has it.
type job struct {
	id   int
	text string
}

// alone is the answer about one job, which tells more than the bulk answer.
func (j job) alone() string {
	return strings.TrimSuffix(j.text, "}") + `, "oplog": [[]], "opresult": [null]}`
}

// unknownJob is what Ganeti says of a job it never had, with status 200.
func unknownJob(id string) string {
	return `{"id": ` + id + `, "ops": null, "status": null, "summary": null, "opstatus": null, ` +
		`"received_ts": null, "start_ts": null, "end_ts": null, "oplog": null, "opresult": null}`
}

// recallJobs fills the queue with the jobs that made and started the cluster.
func (c *Cluster) recallJobs() {
	for i := range c.opts.Jobs {
		if len(c.all) == 0 {
			return
		}
		op := []string{"OP_INSTANCE_CREATE", "OP_INSTANCE_STARTUP"}[i%2]
		c.addJob(op, c.all[i/2%len(c.all)])
	}
}

// addJob records the job that a change of v would have been. Only so many are
// kept as the options say; the older ones count as archived.
func (c *Cluster) addJob(op string, v *instance) {
	c.lastJob++
	if c.opts.Jobs == 0 {
		return
	}
	if len(c.jobs) >= c.opts.Jobs {
		c.jobs = c.jobs[len(c.jobs)-c.opts.Jobs+1:]
	}
	received := c.now()
	var w writer
	w.open('{')
	w.key("id")
	w.int(c.lastJob)
	w.key("ops")
	w.raw("[")
	c.writeOp(&w, op, v, received)
	w.raw("]")
	w.key("status")
	w.raw(`"success"`)
	w.key("summary")
	summary := strings.TrimPrefix(op, "OP_")
	if !strings.HasPrefix(summary, "TAGS_") {
		summary += "(" + v.name + ")"
	}
	w.strings([]string{summary})
	w.key("opstatus")
	w.raw(`["success"]`)
	for i, key := range []string{"received_ts", "start_ts", "end_ts"} {
		w.key(key)
		writeMoment(&w, received.Add(time.Duration(i)*350*time.Millisecond))
	}
	w.close('}')
	c.jobs = append(c.jobs, job{id: c.lastJob, text: string(w)})
}

// writeMoment writes a job's time: seconds and microseconds.
func writeMoment(w *writer, t time.Time) {
	w.raw(fmt.Sprintf("[%d, %d]", t.Unix(), t.Nanosecond()/1000))
}

func (c *Cluster) writeOp(w *writer, op string, v *instance, at time.Time) {
	name := strings.ToLower(strings.TrimPrefix(op, "OP_"))
	w.raw(`{"dry_run": false, "debug_level": 0, "priority": 0, "depends": null, "comment": null, "reason": `)
	w.raw(fmt.Sprintf(`[["gnt:library:rlib2:instances", "", %d], ["gnt:opcode:%s", "job=%d;index=0", %d]]`,
		at.UnixNano()-2e8, name, c.lastJob, at.UnixNano()))
	w.key("OP_ID")
	w.string(op)
	if strings.HasPrefix(op, "OP_TAGS_") {
		w.key("kind")
		w.raw(`"instance"`)
		w.key("tags")
		w.strings(v.tags)
		w.key("name")
		w.string(v.name)
		w.close('}')
		return
	}
	w.key("instance_name")
	w.string(v.name)
	if op != "OP_INSTANCE_CREATE" {
		w.key("instance_uuid")
		w.string(v.uuid)
	}
	v.writeOpParams(w, op)
	w.close('}')
}

// writeOpParams writes what the recordings show of creating and starting; the
// other operations are given no parameters of their own.
func (v *instance) writeOpParams(w *writer, op string) {
	switch op {
	case "OP_INSTANCE_STARTUP":
		w.raw(`, "force": false, "ignore_offline_nodes": false, "hvparams": {}, "beparams": {}, ` +
			`"no_remember": false, "startup_paused": false, "shutdown_timeout": 120`)
	case "OP_INSTANCE_CREATE":
		w.raw(`, "force_variant": false, "wait_for_sync": true, "name_check": false, "ignore_ipolicy": true, ` +
			`"opportunistic_locking": false, "beparams": `)
		w.raw(fmt.Sprintf(`{"vcpus": %d, "minmem": %d, "maxmem": %d}`, v.be.vcpus, v.be.minmem, v.be.maxmem))
		w.key("disks")
		writeList(w, v.disks, func(d disk) { w.raw(fmt.Sprintf(`{"size": %d}`, d.mib)) })
		w.key("disk_template")
		w.string(v.template)
		w.raw(`, "hvparams": {}, "hypervisor": `)
		w.string(map[bool]string{false: "fake", true: "kvm"}[v.guest.kvm])
		w.raw(`, "identify_defaults": false, "ip_check": false, "conflicts_check": false, "mode": "create", "nics": `)
		writeList(w, v.nics, func(n nic) { w.raw(n.params) })
		w.raw(`, "osparams": {}, "os_type": `)
		w.string(v.os)
		w.key("pnode")
		w.string(v.node.name)
		w.key("pnode_uuid")
		w.string(v.node.uuid)
		w.raw(`, "source_shutdown_timeout": 120, "compress": "none", "start": true, "forthcoming": false, "commit": false, "tags": `)
		w.strings(v.tags)
		w.raw(`, "instance_communication": false, "helper_startup_timeout": 300, "helper_shutdown_timeout": 7200`)
	}
}
