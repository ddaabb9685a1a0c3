package ganeti

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"sync"
)

// Pool keeps one [Client] per set of settings. A caller finds the client of a
// cluster by the credentials hash of its settings, without a query, and a
// changed setting is seen at once. It is safe for concurrent use.
type Pool struct {
	key     func() []byte // a closure, so that printing a Pool does not print it
	buffers *sync.Pool

	mu      sync.Mutex
	clients map[string]pooled // by everything that shapes a client
	made    int
}

type pooled struct {
	client *Client
	hash   string
	made   int // a counter, to know the youngest of a hash
}

// NewPool returns an empty pool. The key makes the hashes useless to whoever
// holds only them: without it no password can be guessed offline.
func NewPool(key []byte) *Pool {
	key = bytes.Clone(key)
	return &Pool{key: func() []byte { return key }, buffers: newBuffers(), clients: make(map[string]pooled)}
}

// Get returns the client of the settings: the same one as long as nothing
// changes, neither in the settings nor in the CA file, else a new one. It
// reads TLS.CAFile and does not connect.
func (p *Pool) Get(s Settings) (*Client, error) {
	hash, ca, err := p.hash(s)
	if err != nil {
		return nil, err
	}
	t := s.Timeouts.withDefaults()
	id := p.mac("client", hash, t.Connect.String(), t.TLSHandshake.String(), t.FirstByte.String(), t.Total.String(),
		strconv.FormatInt(t.MinThroughput, 10), strconv.FormatInt(s.maxBody(), 10), s.TLS.MinVersion, s.PasswordSource)
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.clients[id]; ok {
		return known.client, nil
	}
	c, err := newClient(s, ca, p.buffers)
	if err != nil {
		return nil, err
	}
	p.made++
	p.clients[id] = pooled{client: c, hash: hash, made: p.made}
	return c, nil
}

// Hash returns the credentials hash of the settings: the HMAC-SHA256 over
// every host and port in their order, user, password and TLS settings (the CA
// file's content included), as 64 hexadecimal digits. Timeouts and limits do
// not count.
func (p *Pool) Hash(s Settings) (string, error) {
	hash, _, err := p.hash(s)
	return hash, err
}

// Retain forgets the clients of all other hashes, and of each hash all but the
// youngest: what a reload of the configuration left behind. Requests that are
// under way end by themselves.
func (p *Pool) Retain(hashes []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	youngest := make(map[string]int)
	for _, c := range p.clients {
		youngest[c.hash] = max(youngest[c.hash], c.made)
	}
	for id, c := range p.clients {
		if !slices.Contains(hashes, c.hash) || c.made < youngest[c.hash] {
			delete(p.clients, id)
		}
	}
}

func (p *Pool) hash(s Settings) (hash string, ca []byte, err error) {
	if err := s.Validate(); err != nil {
		return "", nil, err
	}
	addresses, err := s.Addresses()
	if err != nil {
		return "", nil, err
	}
	if ca, err = s.TLS.readCA(); err != nil {
		return "", nil, err
	}
	pin := ""
	if s.TLS.PinSHA256 != "" {
		sum, err := ParsePin(s.TLS.PinSHA256) // another spelling is the same pin
		if err != nil {
			return "", nil, err
		}
		pin = hex.EncodeToString(sum[:])
	}
	first := addresses[0]
	fields := []string{
		"credentials", first.Host, strconv.Itoa(first.Port), s.Username, s.Password.Reveal(),
		pin, string(ca), s.TLS.ServerName, strconv.FormatBool(s.TLS.InsecureSkipVerify),
	}
	for _, a := range addresses[1:] {
		fields = append(fields, a.Host, strconv.Itoa(a.Port))
	}
	return p.mac(fields...), ca, nil
}

// mac hashes the fields with their lengths in front, so that no two lists of
// fields run together to the same bytes.
func (p *Pool) mac(fields ...string) string {
	h := hmac.New(sha256.New, p.key())
	var length [8]byte
	for _, f := range fields {
		binary.BigEndian.PutUint64(length[:], uint64(len(f)))
		h.Write(length[:])
		h.Write([]byte(f))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s Settings) maxBody() int64 {
	if s.MaxBody > 0 {
		return s.MaxBody
	}
	return DefaultMaxBody
}
