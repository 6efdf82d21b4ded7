package wallet

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"sceau/oidc/authn"
)

// A Store keeps transactions: by keys that hold no secret, values that are opaque. It is safe for concurrent use, shared by all replicas, and
// what has expired is not found.
type Store interface {
	// Put writes a value, whatever was there.
	Put(ctx context.Context, key string, value []byte, until time.Time) error
	// Get returns a value, or nil where there is none.
	Get(ctx context.Context, key string) ([]byte, error)
	// Swap writes a value where old stands, octet by octet, and says whether it did: of several who try at once, one does.
	Swap(ctx context.Context, key string, old, value []byte, until time.Time) (bool, error)
}

// A transaction is one question to a wallet, and its answer.
type transaction struct {
	// Attempt is what it is asked in, for the trail.
	Attempt string    `json:"attempt"`
	Nonce   string    `json:"nonce"`
	State   string    `json:"state"`
	Key     []byte    `json:"key"` // for the answer: a scalar of P-256
	Until   time.Time `json:"until"`
	// Done is where the browser of this device is led when there is an answer; empty for another device.
	Done   string  `json:"done,omitempty"`
	Answer *answer `json:"answer,omitempty"`
	Taken  bool    `json:"taken,omitempty"`
}

// An answer is what a wallet answered, verified: a proof, or a reason why there is none.
type answer struct {
	// Code is the digest of the response_code with which the browser of this device comes back.
	Code       []byte              `json:"code,omitempty"`
	Refused    authn.Reason        `json:"refused,omitempty"`
	Cause      string              `json:"cause,omitempty"`
	Identifier authn.Identifier    `json:"identifier"`
	Attributes map[string][]string `json:"attributes,omitempty"`
	Credential string              `json:"credential,omitempty"`
	Time       time.Time           `json:"time"`
}

// kept is a transaction as it was read: its id, and the octets that stand in the store.
type kept struct {
	transaction
	id  string
	old []byte
}

// An id is a slot and a secret: the place in the store, which an attempt has one of for each device, and what opens what stands there. A
// question that is asked anew takes the place of the one before: whatever somebody answers and gives up, an attempt keeps two at most.
var goodID = regexp.MustCompile(`^[A-Z2-7]{52}$`)

const slotLength = 26

var unpadded = base32.StdEncoding.WithPadding(base32.NoPadding)

// slot is the place of an attempt for a device. Nobody learns of it by which attempt it is.
func (m *Means) slot(attempt, device string) string {
	sum := sha256.Sum256([]byte("sceau wallet slot\x00" + m.base + "\x00" + device + "\x00" + attempt))
	return unpadded.EncodeToString(sum[:16])
}

// errOver says that there is no such transaction, or none any more.
var errOver = errors.New("wallet: no such transaction, or it is over")

// begin makes a transaction of an attempt and keeps it. done is where the browser of this device is led when it is answered; without it, it is
// for another device. Its id is a secret.
func (m *Means) begin(ctx context.Context, attempt, done string) (id string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	scalar, err := key.Bytes()
	if err != nil {
		return "", err
	}
	device := "here"
	if done == "" {
		device = "there"
	}
	id = m.slot(attempt, device) + rand.Text()
	t := &transaction{Attempt: attempt, Nonce: rand.Text(), State: rand.Text(), Key: scalar, Until: m.c.Now().Add(m.c.Lifetime), Done: done}
	value, err := t.seal(id)
	if err != nil {
		return "", err
	}
	if err := m.c.Store.Put(ctx, keyOf(id), value, t.Until); err != nil {
		return "", fmt.Errorf("wallet: %w", err)
	}
	return id, nil
}

// read finds a transaction by its id. errOver is the error where there is none.
func (m *Means) read(ctx context.Context, id string) (*kept, error) {
	if !goodID.MatchString(id) {
		return nil, errOver
	}
	value, err := m.c.Store.Get(ctx, keyOf(id))
	if err != nil {
		return nil, fmt.Errorf("wallet: %w", err)
	}
	if value == nil {
		return nil, errOver
	}
	k := &kept{id: id, old: value}
	if err := k.open(id, value); err != nil {
		return nil, err
	}
	if k.Taken || !m.c.Now().Before(k.Until) {
		return nil, errOver
	}
	return k, nil
}

// write puts what was changed in the place of what was read. errOver says that another was first.
func (m *Means) write(ctx context.Context, k *kept) error {
	value, err := k.seal(k.id)
	if err != nil {
		return err
	}
	swapped, err := m.c.Store.Swap(ctx, keyOf(k.id), k.old, value, k.Until)
	if err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	if !swapped {
		return errOver
	}
	k.old = value
	return nil
}

// take makes an answer the caller's alone: nobody finds the transaction after it.
func (m *Means) take(ctx context.Context, k *kept) (*answer, error) {
	a := k.Answer
	k.transaction = transaction{Taken: true, Until: k.Until}
	return a, m.write(ctx, k)
}

func keyOf(id string) string {
	sum := sha256.Sum256([]byte("sceau wallet transaction\x00" + id[:slotLength]))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func sealOf(id string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(id), nil, "sceau wallet transaction seal", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (t *transaction) seal(id string) ([]byte, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	seal, err := sealOf(id)
	if err != nil {
		return nil, err
	}
	return seal.Seal(nil, nil, text, nil), nil
}

func (t *transaction) open(id string, value []byte) error {
	seal, err := sealOf(id)
	if err != nil {
		return err
	}
	text, err := seal.Open(nil, nil, value, nil)
	if err != nil {
		return errOver // another question stands in its place
	}
	return json.Unmarshal(text, t)
}

// key is that to which the answer is encrypted.
func (t *transaction) key() (*ecdsa.PrivateKey, error) {
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), t.Key)
}
