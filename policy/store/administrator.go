package store

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// A Right is what an Administrator may do.
type Right string

const (
	RightPropose  Right = "propose"  // draft, submit, withdraw
	RightApprove  Right = "approve"  // approve, reject, activate
	RightRollback Right = "rollback" // make active again what was active before
	everyWord           = "propose, approve, rollback"
)

// ParseRight reads a word.
func ParseRight(word string) (Right, error) {
	if r := Right(word); r == RightPropose || r == RightApprove || r == RightRollback {
		return r, nil
	}
	return "", fmt.Errorf("a right is one of %s", everyWord)
}

// An Administrator is a person who may change policies, known by a key. Several of one name are one person: with a key that was renewed,
// or with other rights since.
type Administrator struct {
	Name string           // one word; it stands in the history
	Key  crypto.PublicKey // RSA or ECDSA
	May  []Right
	// Until is when he left, gave up the key, or had the rights for the last time: what he signed before still counts. Zero: he has not.
	Until time.Time
}

// may says whether whoever has a key may do something at an instant, as one of the administrators.
func may(list []Administrator, key crypto.PublicKey, r Right, at time.Time) error {
	err := errors.New("the key is that of no administrator")
	for i := range list {
		switch a := &list[i]; {
		case !same(a.Key, key):
		case !slices.Contains(a.May, r):
			err = fmt.Errorf("%s may not %s", a.Name, r)
		case !a.Until.IsZero() && !at.Before(a.Until):
			err = fmt.Errorf("%s may not %s since %s", a.Name, r, a.Until.UTC().Format(time.RFC3339))
		default:
			return nil
		}
	}
	return &Error{Reason: NotAllowed, Err: err}
}

// same tells whether two public keys are one.
func same(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// checkAdministrators refuses lists by which one person could be two.
func checkAdministrators(list []Administrator) error {
	for i := range list {
		a := &list[i]
		switch a.Key.(type) {
		case *rsa.PublicKey, *ecdsa.PublicKey:
		default:
			return fmt.Errorf("administrator %q: want an RSA or an ECDSA key", a.Name)
		}
		if !nameForm.MatchString(a.Name) {
			return fmt.Errorf("administrator %q: a name is of up to 64 letters, digits, and inside it . _ @ -", a.Name)
		}
		for j := range list[:i] {
			if list[j].Name != a.Name && same(list[j].Key, a.Key) {
				return fmt.Errorf("administrators %q and %q are one: each has a key of his own", list[j].Name, a.Name)
			}
		}
	}
	return nil
}

// sign signs a statement: PKCS #1 version 1.5 or ECDSA, with SHA-256; what tokens and openssl dgst -sha256 do.
func sign(key crypto.Signer, statement []byte) ([]byte, error) {
	digest := sha256.Sum256(statement)
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if public, ok := key.Public().(*ecdsa.PublicKey); ok && err == nil {
		return lower(public, signature)
	}
	return signature, err
}

// An ecdsaSignature is Ecdsa-Sig-Value (RFC 3279, 2.2.3).
type ecdsaSignature struct{ R, S *big.Int }

// lower gives, of the two signatures that ECDSA has for a statement, (r, s) and (r, n-s), the one with the lower s. The other is refused:
// anybody could put it in the place of the last, and whoever has seen that would take it for another event.
func lower(key *ecdsa.PublicKey, signature []byte) ([]byte, error) {
	var s ecdsaSignature
	if rest, err := asn1.Unmarshal(signature, &s); err != nil || len(rest) > 0 {
		return nil, errSignature
	}
	n := key.Params().N
	if other := new(big.Int).Sub(n, s.S); other.Cmp(s.S) < 0 {
		s.S = other
	}
	return asn1.Marshal(s)
}

var errSignature = errors.New("the signature is not that of the statement")

func verify(key crypto.PublicKey, statement, signature []byte) error {
	digest := sha256.Sum256(statement)
	switch k := key.(type) {
	case *rsa.PublicKey:
		if rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature) == nil {
			return nil
		}
	case *ecdsa.PublicKey:
		if low, err := lower(k, signature); err == nil && bytes.Equal(low, signature) && ecdsa.VerifyASN1(k, digest[:], signature) {
			return nil
		}
	}
	return errSignature
}
