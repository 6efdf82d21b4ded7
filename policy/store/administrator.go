package store

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
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

// An Administrator is a person who may change policies, known by one key.
type Administrator struct {
	Name string           // one word; it stands in the history
	Key  crypto.PublicKey // RSA or ECDSA
	May  []Right
	// Until is when he left: what he signed before still counts. Zero: he has not.
	Until time.Time
}

func (a *Administrator) may(r Right, at time.Time) error {
	switch {
	case !slices.Contains(a.May, r):
		return &Error{Reason: NotAllowed, Err: fmt.Errorf("%s may not %s", a.Name, r)}
	case !a.Until.IsZero() && !at.Before(a.Until):
		return &Error{Reason: NotAllowed, Err: fmt.Errorf("%s is no administrator since %s", a.Name, a.Until.UTC().Format(time.RFC3339))}
	}
	return nil
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
			if list[j].Name == a.Name || same(list[j].Key, a.Key) {
				return fmt.Errorf("administrators %q and %q are one: each has a name and a key of his own", list[j].Name, a.Name)
			}
		}
	}
	return nil
}

// sign signs a statement: PKCS #1 version 1.5 or ECDSA, with SHA-256; what tokens and openssl dgst -sha256 do.
func sign(key crypto.Signer, statement []byte) ([]byte, error) {
	digest := sha256.Sum256(statement)
	return key.Sign(rand.Reader, digest[:], crypto.SHA256)
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
		if ecdsa.VerifyASN1(k, digest[:], signature) {
			return nil
		}
	}
	return errSignature
}
