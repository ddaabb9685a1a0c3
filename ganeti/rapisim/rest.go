package rapisim

import "net/http"

// rest is what a compact cluster keeps while nobody looks into it: the answers
// that clients ask for in a refresh, packed. All else is generated again.
type rest struct{ answers map[string]packed } // by path and query

// restingAnswers are the requests that do not wake a cluster.
func restingAnswers() []struct{ path, query string } {
	return []struct{ path, query string }{
		{"/2/info", ""},
		{"/2/instances", "bulk=1"},
		{"/2/nodes", "bulk=1"},
		{"/2/groups", "bulk=1"},
		{"/2/networks", "bulk=1"},
		{"/2/jobs", "bulk=1"},
	}
}

// doze lets go of a world that has just been generated, if the options say so.
// A clock from outside would make another one next time.
func (c *Cluster) doze() {
	if !c.opts.Compact || c.opts.Now != nil {
		return
	}
	c.rest = &rest{answers: make(map[string]packed)}
	for _, a := range restingAnswers() {
		c.rest.answers[a.path+"?"+a.query] = pack(c.consider(http.MethodGet, a.path, a.query).whole())
	}
	c.world = nil
}

// reading locks the cluster for somebody who changes nothing, and returns what
// ends that. A world generated for it goes again.
func (c *Cluster) reading() (done func()) {
	c.mu.Lock()
	if c.world != nil {
		return c.mu.Unlock
	}
	c.generate()
	return func() {
		c.world = nil
		c.mu.Unlock()
	}
}

// changing locks the cluster for a change, and returns what ends that. From
// then on the cluster is no longer what the options make, and stays awake.
func (c *Cluster) changing() (done func()) {
	c.mu.Lock()
	if c.world == nil {
		c.generate()
	}
	c.rest = nil
	return c.mu.Unlock
}

// answer is the reply to an authenticated request.
func (c *Cluster) answer(method, path, query string) *reply {
	if r := c.resting(method, path, query); r != nil {
		return r
	}
	defer c.reading()()
	return c.consider(method, path, query)
}

// resting is the reply of a cluster at rest, or nil.
func (c *Cluster) resting(method, path, query string) *reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rest == nil || method != http.MethodGet {
		return nil
	}
	text, kept := c.rest.answers[path+"?"+query]
	if !kept {
		return nil
	}
	r := ok()
	r.body, r.length = text.unpack, text.length
	return r
}
