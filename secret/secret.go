// Package secret seals the RAPI passwords that are kept in the database, with AES-256-GCM under a key that is not.
//
// What is sealed is bound to the id of its cluster: moved to another one, or changed in a single bit, it does not
// open. Format 1 held a password alone, bound to the cluster's name; format 2 holds whatever must stay together with it.
// A seal says by which key it was sealed, so that a wrong key is told from damage. Nothing here logs, and no error or
// printed value holds a key or a password. A [Key] does not change and is safe for concurrent use.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors that callers branch on with errors.Is.
var (
	// ErrWrongKey means that the password was sealed by another key.
	ErrWrongKey = errors.New("sealed with another key")
	// ErrDamaged means that the sealed password was changed or belongs to another cluster.
	ErrDamaged = errors.New("the sealed password is damaged, or was made for another cluster")
)

const (
	// The formats; one begins every seal.
	versionPassword = 1
	versionSettings = 2
	// minSecret is the shortest secret accepted, in bytes.
	minSecret = 32
	idSize    = 8
	keySize   = 32
	// header is version and key id.
	header = 1 + idSize
	// maxSealed bounds what is sealed and opened, in bytes: a password is no document.
	maxSealed = 128 << 10
)

// Key seals and opens. It prints as its id.
type Key struct {
	id   [idSize]byte
	aead cipher.AEAD
}

// NewKey derives a key from a secret of at least 32 bytes. Key and id are derived apart from each other and from
// whatever else the same secret is used for.
func NewKey(secret []byte) (*Key, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("the secret key has %d bytes, at least %d are needed", len(secret), minSecret)
	}
	derive := func(purpose string, size int) ([]byte, error) {
		return hkdf.Key(sha256.New, secret, nil, "ganeti-cache-updater "+purpose, size)
	}
	raw, err := derive("sealed passwords", keySize)
	if err != nil {
		return nil, fmt.Errorf("deriving the key: %w", err)
	}
	id, err := derive("key id", idSize)
	if err != nil {
		return nil, fmt.Errorf("deriving the key's id: %w", err)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, fmt.Errorf("preparing AES: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("preparing GCM: %w", err)
	}
	return &Key{id: [idSize]byte(id), aead: aead}, nil
}

// ID names the key without telling anything of it.
func (k *Key) ID() string { return hex.EncodeToString(k.id[:]) }

// String returns the id.
func (k *Key) String() string { return "key " + k.ID() }

// GoString returns the id.
func (k *Key) GoString() string { return k.String() }

// SealPassword encrypts a password alone, bound to the name of a cluster, as earlier versions did: the same one never
// looks alike twice.
func (k *Key) SealPassword(cluster, password string) (string, error) {
	return k.seal(versionPassword, "cluster:"+cluster, []byte(password))
}

// OpenPassword returns a password that was sealed alone for the cluster. ErrWrongKey, ErrDamaged.
func (k *Key) OpenPassword(cluster, sealed string) (string, error) {
	password, err := k.open(versionPassword, "cluster:"+cluster, sealed)
	return string(password), err
}

// Seal encrypts what belongs to the cluster with this id: the same content never looks alike twice.
func (k *Key) Seal(id int64, content []byte) (string, error) {
	return k.seal(versionSettings, "cluster id:"+strconv.FormatInt(id, 10), content)
}

// Open returns what was sealed for the cluster with this id. ErrWrongKey, ErrDamaged.
func (k *Key) Open(id int64, sealed string) ([]byte, error) {
	return k.open(versionSettings, "cluster id:"+strconv.FormatInt(id, 10), sealed)
}

// IsPassword says whether a seal calls itself one of a password alone. That is not authenticated: opening is.
func IsPassword(sealed string) bool {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	return err == nil && len(raw) > 0 && raw[0] == versionPassword
}

func (k *Key) seal(version byte, owner string, content []byte) (string, error) {
	head := append([]byte{version}, k.id[:]...)
	sealed := k.aead.Seal(head, nil, content, bound(head, owner)) //nolint:gosec // G407: it makes its own random nonce
	if len(sealed) > maxSealed {
		return "", fmt.Errorf("a password of %d bytes is none", len(content))
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}

// bound is what is authenticated beside the content.
func bound(head []byte, owner string) []byte { return append(append([]byte{}, head...), owner...) }

func (k *Key) open(version byte, owner, sealed string) ([]byte, error) {
	// The decoder would skip line breaks.
	if len(sealed) > 2*maxSealed || strings.ContainsAny(sealed, "\r\n") {
		return nil, ErrDamaged
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(sealed)
	if err != nil || len(raw) < header+k.aead.Overhead() {
		return nil, ErrDamaged
	}
	if raw[0] != version {
		return nil, fmt.Errorf("sealed in format %d, where format %d is wanted: %w", raw[0], version, ErrDamaged)
	}
	if id := [idSize]byte(raw[1:]); id != k.id {
		return nil, fmt.Errorf("%w (%s) than the one at hand (%s)", ErrWrongKey, hex.EncodeToString(id[:]), k.ID())
	}
	content, err := k.aead.Open(nil, nil, raw[header:], bound(raw[:header], owner))
	if err != nil {
		return nil, ErrDamaged // the cause says nothing more
	}
	return content, nil
}
