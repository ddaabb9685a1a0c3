package api

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.yaml.in/yaml/v3"

	"ganeticache/db"
)

// Scope is what a token may do. Each includes the one before it.
type Scope string

// The scopes.
const (
	// ScopeRead reads what the token's subjects are granted.
	ScopeRead Scope = "read"
	// ScopeRefresh may also have Ganeti asked at once, for what it may read.
	ScopeRefresh Scope = "refresh"
	// ScopeAdmin reads and refreshes everything, whatever is granted.
	ScopeAdmin Scope = "admin"
)

// caller is who asks.
type caller struct {
	name       string
	scope      Scope
	subjects   []string
	permission string
	// foreign says that the request is one of another site's page: it gets what is cached, and nothing is asked for it.
	foreign bool
}

// local is the caller where there are no tokens: somebody on this machine.
func local() caller { return caller{name: "local", scope: ScopeAdmin} }

// restricted says whether the caller sees only what it was granted. The zero caller sees nothing.
func (c caller) restricted() bool { return c.scope != ScopeAdmin }

// mayRefresh says whether the caller may have Ganeti asked as often as it likes.
func (c caller) mayRefresh() bool { return c.scope == ScopeRefresh || c.scope == ScopeAdmin }

// permitted is the caller's restriction as the database wants it.
func (c caller) permitted() *db.Permitted {
	if !c.restricted() {
		return nil
	}
	return &db.Permitted{Subjects: c.subjects, Permission: c.permission}
}

// tokenEntry is one token in the file. Only the hash of a token is ever stored.
type tokenEntry struct {
	Name       string   `yaml:"name"`
	SHA256     string   `yaml:"sha256"`
	Scope      Scope    `yaml:"scope"`
	Subjects   []string `yaml:"subjects"`
	Permission string   `yaml:"permission"`
}

type tokenFile struct {
	Tokens []tokenEntry `yaml:"tokens"`
}

const (
	// maxTokenFile is the largest token file read, in bytes, and maxTokens the most tokens in it: each request is
	// compared with all of them.
	maxTokenFile = 1 << 20
	maxTokens    = 1000
	// tokenLook is how often the file is looked at for changes.
	tokenLook = time.Second
	// maxToken is the longest token accepted from a client, in bytes.
	maxToken = 512
)

// tokens are those of a file, which is read again when it changes.
type tokens struct {
	path string
	log  *zap.Logger
	now  func() time.Time

	mu     sync.Mutex
	looked time.Time
	seen   fileState
	list   []knownToken
}

type knownToken struct {
	hash   [sha256.Size]byte
	caller caller
}

type fileState struct {
	size    int64
	changed time.Time
	info    os.FileInfo
}

// same says whether the file is the one that was read, as far as its size, its time and its inode tell.
func (f fileState) same(info os.FileInfo) bool {
	return f.info != nil && f.size == info.Size() && f.changed.Equal(info.ModTime()) && os.SameFile(f.info, info)
}

// openTokens reads the file; its error is a sentence for the operator.
func openTokens(path string, log *zap.Logger, now func() time.Time) (*tokens, error) {
	t := &tokens{path: path, log: log, now: now}
	if err := t.read(); err != nil {
		return nil, err
	}
	t.looked = now()
	return t, nil
}

// find gives the caller a token belongs to. It compares with every token, so that the time it takes tells nothing.
func (t *tokens) find(token string) (caller, bool) {
	hash := sha256.Sum256([]byte(token))
	var found caller
	ok := false
	for _, k := range t.current() {
		if subtle.ConstantTimeCompare(hash[:], k.hash[:]) == 1 {
			found, ok = k.caller, true
		}
	}
	return found, ok
}

// current gives the tokens in force, looking at the file now and then. A file that cannot be read or understood changes
// nothing, so that a slip of the editor locks nobody out.
func (t *tokens) current() []knownToken {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.now(); now.Sub(t.looked) >= tokenLook {
		t.looked = now
		if err := t.read(); err != nil {
			t.log.Error("reading the changed token file failed; the old tokens stay in force", zap.Error(err))
		}
	}
	return t.list
}

// read reads the file if it has changed.
func (t *tokens) read() error {
	info, err := os.Stat(t.path)
	if err != nil {
		if gone := (fileState{info: nil, size: -1}); t.seen != gone {
			t.seen = gone // say it once
			return explainFile(t.path, err)
		}
		return nil
	}
	if t.seen.same(info) {
		return nil
	}
	t.seen = fileState{size: info.Size(), changed: info.ModTime(), info: info}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("tokens_file: every user of this machine can write %s; run: chmod o-w %s", t.path, t.path)
	}
	f, err := os.Open(t.path)
	if err != nil {
		return explainFile(t.path, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTokenFile+1))
	if err != nil {
		return explainFile(t.path, err)
	}
	list, err := parseTokens(text)
	if err != nil {
		return fmt.Errorf("tokens_file: %s: %w", t.path, err)
	}
	first := t.list == nil
	t.list = list
	if !first {
		t.log.Info("read the changed token file", zap.Int("tokens", len(list)))
	}
	return nil
}

func explainFile(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("tokens_file: %s does not exist; `updater token new` says what to put into it", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("tokens_file: %s cannot be read by user id %d; change its owner or mode", path, os.Getuid())
	default:
		return fmt.Errorf("tokens_file: %w", err)
	}
}

// parseTokens reads the list strictly: an error in it could open a door.
func parseTokens(text []byte) ([]knownToken, error) {
	if len(text) > maxTokenFile {
		return nil, fmt.Errorf("it is larger than %d KiB; it is probably the wrong file", maxTokenFile>>10)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var file tokenFile
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, yamlTrouble(err)
	}
	if len(file.Tokens) == 0 {
		return nil, errors.New("it has no token; `updater token new` makes one")
	}
	if len(file.Tokens) > maxTokens {
		return nil, fmt.Errorf("it has %d tokens, more than the %d allowed", len(file.Tokens), maxTokens)
	}
	list := make([]knownToken, 0, len(file.Tokens))
	names := map[string]bool{}
	hashes := map[[sha256.Size]byte]bool{}
	for i, e := range file.Tokens {
		k, err := e.known()
		if err != nil {
			return nil, fmt.Errorf("token %d: %w", i+1, err)
		}
		if names[e.Name] || hashes[k.hash] {
			return nil, fmt.Errorf("token %d: its name or its hash is that of another one, too", i+1)
		}
		names[e.Name], hashes[k.hash] = true, true
		list = append(list, k)
	}
	return list, nil
}

// yamlTrouble says where the file is wrong, without the words of the library: those may quote a token.
func yamlTrouble(err error) error {
	const keys = "a token has the keys name, sha256, scope, subjects and permission"
	if m := regexp.MustCompile(`line (\d+): field ([a-z_]{1,20}) not found`).FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("line %s: %s is no key here; %s", m[1], m[2], keys)
	}
	if m := regexp.MustCompile(`line (\d+)`).FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("line %s does not fit into a list of tokens; %s", m[1], keys)
	}
	return errors.New("it is not a list of tokens; " + keys)
}

func (e tokenEntry) known() (knownToken, error) {
	k := knownToken{caller: caller{name: e.Name, scope: e.Scope, subjects: e.Subjects, permission: e.Permission}}
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$`).MatchString(e.Name) {
		return k, errors.New("it needs a name of letters, digits, '.', '_', '@' and '-', for the log")
	}
	hash, err := hex.DecodeString(e.SHA256)
	if err != nil || len(hash) != sha256.Size {
		return k, fmt.Errorf("%s: sha256 must be the 64 hexadecimal digits of the token's hash, never the token itself", e.Name)
	}
	copy(k.hash[:], hash)
	switch e.Scope {
	case ScopeRead, ScopeRefresh:
		if len(e.Subjects) == 0 {
			return k, fmt.Errorf("%s: scope %s sees what its subjects are granted, so name some in subjects", e.Name, e.Scope)
		}
	case ScopeAdmin:
		if len(e.Subjects) > 0 || e.Permission != "" {
			return k, fmt.Errorf("%s: scope admin sees everything, so subjects and permission would mean nothing; remove them", e.Name)
		}
	default:
		return k, fmt.Errorf("%s: scope must be read, refresh or admin", e.Name)
	}
	for _, s := range e.Subjects {
		if strings.TrimSpace(s) == "" {
			return k, fmt.Errorf("%s: a subject is empty", e.Name)
		}
	}
	return k, nil
}

// CheckTokens says what is wrong with the text of a token file.
func CheckTokens(text []byte) error {
	_, err := parseTokens(text)
	return err
}

// NewToken makes a random token of 32 bytes and the hash to store of it.
func NewToken() (token, hash string, err error) {
	b := make([]byte, sha256.Size)
	if _, err := rand.Read(b); err != nil {
		return "", "", fmt.Errorf("making a token: %w", err)
	}
	// The prefix lets tools that look for lost secrets recognise it.
	token = "gcu_" + base64.RawURLEncoding.EncodeToString(b)
	sum := sha256.Sum256([]byte(token))
	return token, hex.EncodeToString(sum[:]), nil
}
