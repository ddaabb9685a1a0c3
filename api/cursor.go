package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
)

// cursors turns the ids of changes into what callers get to see. Who sees everything gets the id itself. Who does not
// gets it sealed: the difference between two ids would tell how much happened that the caller may not see.
type cursors struct{ aead cipher.AEAD }

// newCursors derives the key from a secret, so that updaters with the same one understand each other's cursors.
func newCursors(secret []byte) (*cursors, error) {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("cursors of the API"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("making the key of the cursors: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("making the key of the cursors: %w", err)
	}
	return &cursors{aead}, nil
}

func (c *cursors) encode(who caller, id int64) string {
	if !who.restricted() {
		return strconv.FormatInt(id, 10)
	}
	plain := binary.BigEndian.AppendUint64(nil, uint64(id)) //nolint:gosec // ids are positive
	return base64.RawURLEncoding.EncodeToString(c.aead.Seal(nil, nil, plain, nil))
}

// decode reads a cursor; "0" and "" are the beginning for everybody.
func (c *cursors) decode(who caller, cursor string) (int64, bool) {
	if cursor == "" || cursor == "0" {
		return 0, true
	}
	if !who.restricted() {
		id, err := strconv.ParseInt(cursor, 10, 64)
		return id, err == nil && id >= 0
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, false
	}
	plain, err := c.aead.Open(nil, nil, sealed, nil)
	if err != nil || len(plain) != 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(plain)), true //nolint:gosec // what encode made
}
