package store

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Kind is what an Event does.
type Kind string

const (
	KindDraft    Kind = "draft"    // begins a version, or changes its content
	KindSubmit   Kind = "submit"   // hands it in for review
	KindApprove  Kind = "approve"  // by a second person
	KindReject   Kind = "reject"   // of what is in review or approved
	KindWithdraw Kind = "withdraw" // by whoever had a hand in it
	KindActivate Kind = "activate" // puts what is approved in force
	KindRollback Kind = "rollback" // puts what was in force before in force again
)

// right is what an administrator must have for an event.
func (k Kind) right() Right {
	switch k {
	case KindDraft, KindSubmit, KindWithdraw:
		return RightPropose
	case KindApprove, KindReject, KindActivate:
		return RightApprove
	case KindRollback:
		return RightRollback
	}
	return ""
}

// An Event is one step in the life of a version.
type Event struct {
	Number    int64 // from 1
	Kind      Kind
	Version   int64  // from 1
	Content   Digest // of that version, by this event
	Base      int64  // of a draft: the version that was active; 0: none
	Actor     string
	At        time.Time // in seconds
	Note      string    // one line
	Previous  Digest    // hash of the event before; zero: this is the first
	Signature []byte
}

var (
	nameForm  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?$`)
	storeForm = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

const maxNote = 1000

// maxRow bounds note and signature of an event as they are kept, in octets.
const maxRow = 8 << 10

// Statement gives the octets that the actor signs, lines of text. The fields cannot run into each other: none holds the end of a line.
func (e *Event) Statement(store string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "sceau policy event 1\nstore %s\nevent %d\nprevious %s\nkind %s\nversion %d\ncontent %s\nbase %d\nactor %s\nat %s\nnote %s\n",
		store, e.Number, e.Previous, e.Kind, e.Version, e.Content, e.Base, e.Actor, e.At.UTC().Format(time.RFC3339), strconv.Quote(e.Note))
	return b.Bytes()
}

// Hash names the event, its signature included: the event after it holds it.
func (e *Event) Hash(store string) Digest {
	h := sha256.New()
	h.Write(e.Statement(store))
	h.Write(e.Signature)
	return Digest(h.Sum(nil))
}

// form checks what an event must have, whoever made it.
func (e *Event) form() string {
	switch {
	case e.Kind.right() == "":
		return "no such kind"
	case e.Version < 1:
		return "no version"
	case !nameForm.MatchString(e.Actor):
		return "no name of an administrator"
	case e.At.IsZero() || e.At.Nanosecond() != 0:
		return "no instant in whole seconds"
	case len(e.Note) > maxNote || strings.ContainsAny(e.Note, "\r\n\x00"):
		return "a note is one line of up to " + strconv.Itoa(maxNote) + " octets"
	}
	return ""
}
