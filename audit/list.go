package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"
	"time"
)

// An Entry is a record as it was kept, read back. Fields that the record does not have are zero.
type Entry struct {
	File string `json:"-"`
	Line int    `json:"-"` // from 1
	Raw  []byte `json:"-"` // the record's text, without line end

	Seq     uint64    `json:"seq"`
	Kind    string    `json:"kind"` // "event", "file", "open", "removed", "close"
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Service string    `json:"service"`

	Operation      string           `json:"operation"`
	Outcome        string           `json:"outcome"`
	Code           string           `json:"code"`
	Stage          string           `json:"stage"`
	Cause          string           `json:"cause"`
	Remote         string           `json:"remote"`
	RequestID      string           `json:"requestId"`
	Message        string           `json:"message"` // SHA-256, hex
	Mode           string           `json:"mode"`
	Identity       PartyEntry       `json:"identity"`
	Holder         PartyEntry       `json:"holder"`
	Subject        IdentifierEntry  `json:"subject"`
	Client         string           `json:"client"`
	Action         string           `json:"action"`
	Resource       ResourceEntry    `json:"resource"`
	Policies       string           `json:"policies"`
	Profiles       []string         `json:"profiles"`
	Attributes     []AttributeEntry `json:"attributes"`
	MoreAttributes int              `json:"attributesOmitted"` // beyond those kept
	AssertionID    string           `json:"assertionId"`
	NotBefore      time.Time        `json:"notBefore"`
	NotOnOrAfter   time.Time        `json:"notOnOrAfter"`
	DurationMicros int64            `json:"durationMicros"`

	Establishment  string       `json:"establishment"`
	Attempt        string       `json:"attempt"` // SHA-256, hex
	Session        string       `json:"session"`
	Authentication string       `json:"authentication"`
	Means          string       `json:"means"`
	Methods        []string     `json:"amr"`
	ACR            string       `json:"acr"`
	AuthTime       time.Time    `json:"authTime"`
	Credential     string       `json:"credential"` // a pseudonym
	Grant          string       `json:"grant"`
	Scope          string       `json:"scope"`
	Tokens         []TokenEntry `json:"tokens"`
	Sealed         []byte       `json:"sealed"` // see Key.Unseal

	Durability string `json:"durability"` // of an "open" record
	Hash       string `json:"hash"`
}

// A PartyEntry is a Party as it was kept.
type PartyEntry struct {
	Kind        string `json:"kind"`
	Type        string `json:"type"`
	Pseudonym   string `json:"pseudonym"`
	Certificate string `json:"certificate"` // SHA-256 of the DER, hex
}

// An IdentifierEntry is an Identifier as it was kept.
type IdentifierEntry struct {
	Type      string `json:"type"`
	Pseudonym string `json:"pseudonym"`
}

// A ResourceEntry is a Resource as it was kept.
type ResourceEntry struct {
	Type      string `json:"type"`
	Name      string `json:"name"`
	Pseudonym string `json:"pseudonym"`
}

// An AttributeEntry is an Attribute as it was kept.
type AttributeEntry struct {
	Name        string `json:"name"`
	Namespace   string `json:"namespace"`
	Disposition string `json:"disposition"`
	State       string `json:"state"`
	Rule        string `json:"rule"`
	Source      string `json:"source"`

	Origin      string    `json:"origin"`      // "cached", "stale" or, when the source was asked for this request, empty
	RetrievedAt time.Time `json:"retrievedAt"` // with an origin: when the source answered
}

// A Query chooses records; a zero field asks for nothing, and all that are set must hold.
type Query struct {
	Since, Until time.Time // Since <= Time < Until
	Service      string
	Operation    string
	Outcome      Outcome
	Code         string
	ID           ID
	RequestID    string
	AssertionID  string
	// Of ServiceOIDC. TokenID is of any of the tokens; Token is one itself, that has no id.
	Establishment, Client, Session, Grant, TokenID, Token string
	Authentication                                        ID // the event of it, and those that stand on it
	// Any chooses records in whose text one of these stands, as JSON has it: ids, pseudonyms and digests, which need no escape. It
	// spares the reading of the others, and says nothing of where they stand.
	Any []string
	// Pseudonym is of the subject, the signer, the holder or the credential (Key.Pseudonym).
	Pseudonym Pseudonym
	// Control asks also for the records that are no events, which only Since and Until choose among.
	Control bool
}

// List reads a journal in its order, the oldest first, while another process may append to it: the
// files that there are when it begins. It does not check the chain: Verify does. A line that cannot be read gives an *Error with its
// place, Reason Malformed, and the reading goes on; Reason Unreadable ends it. A last line without its end is passed over.
func List(dir string, q Query) iter.Seq2[*Entry, error] {
	return list(directory(dir), q)
}

func list(files FileSystem, q Query) iter.Seq2[*Entry, error] {
	needles := q.needles()
	return func(yield func(*Entry, error) bool) {
		numbers, _, err := fileNumbers(files) // of now, as Verify has it
		if err != nil {
			yield(nil, &Error{Reason: Unreadable, Err: err})
			return
		}
		for i, number := range numbers {
			if !q.Since.IsZero() && i+1 < len(numbers) && begunBefore(files, numbers[i+1], q.Since.Add(-longestRequest)) {
				continue // all of it is older
			}
			if !listFile(files, number, &q, needles, yield) {
				return
			}
		}
	}
}

// longestRequest bounds the time from an event's Time, when its request arrived, to its
// record. It only decides which old files need not be read.
const longestRequest = 5 * time.Minute

// begunBefore reports whether the first record of a file says that it was begun before
// a moment; false when it cannot be read.
func begunBefore(files FileSystem, number int, at time.Time) bool {
	file, err := files.Open(fileName(number))
	if err != nil {
		return false
	}
	defer file.Close()
	text, complete, err := newLineReader(file).next()
	var first Entry
	if err != nil || !complete || json.Unmarshal(text, &first) != nil || first.Time.IsZero() {
		return false
	}
	return first.Time.Before(at)
}

func listFile(files FileSystem, number int, q *Query, needles [][]byte, yield func(*Entry, error) bool) bool {
	name := fileName(number)
	file, err := files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true // removed for its age since the names were read
	}
	if err != nil {
		yield(nil, &Error{Reason: Unreadable, File: name, Err: err})
		return false
	}
	defer file.Close()
	lines := newLineReader(file)
	var any [][]byte
	for _, text := range q.Any {
		any = append(any, []byte(text))
	}
	for {
		text, complete, err := lines.next()
		switch {
		case err == io.EOF, err == nil && !complete:
			return true
		case err != nil:
			yield(nil, &Error{Reason: Unreadable, File: name, Line: lines.number, Err: err})
			return false
		}
		if !containsAll(text, needles) || len(any) > 0 && !containsAny(text, any) {
			continue
		}
		entry := &Entry{File: name, Line: lines.number}
		if err := json.Unmarshal(text, entry); err != nil {
			if !yield(nil, &Error{Reason: Malformed, File: name, Line: lines.number, Err: err}) {
				return false
			}
			continue
		}
		if !q.matches(entry) {
			continue
		}
		entry.Raw = bytes.Clone(text)
		if !yield(entry, nil) {
			return false
		}
	}
}

// needles are texts that every wanted record holds, to pass over the others without decoding them.
func (q *Query) needles() [][]byte {
	var needles [][]byte
	if q.ID != (ID{}) && !q.Control {
		needles = append(needles, q.ID.Append(nil))
	}
	if q.Pseudonym != (Pseudonym{}) && !q.Control {
		needles = append(needles, []byte(q.Pseudonym.String()))
	}
	if q.Authentication != (ID{}) && !q.Control {
		needles = append(needles, q.Authentication.Append(nil))
	}
	if q.Token != "" && !q.Control {
		needles = append(needles, []byte(digestOf(q.Token)))
	}
	return needles
}

func containsAll(text []byte, needles [][]byte) bool {
	for _, needle := range needles {
		if !bytes.Contains(text, needle) {
			return false
		}
	}
	return true
}

func containsAny(text []byte, needles [][]byte) bool {
	return slices.ContainsFunc(needles, func(needle []byte) bool { return bytes.Contains(text, needle) })
}

func (q *Query) matches(e *Entry) bool {
	if !q.Since.IsZero() && e.Time.Before(q.Since) || !q.Until.IsZero() && !e.Time.Before(q.Until) {
		return false
	}
	if e.Kind != "event" {
		return q.Control
	}
	pseudonym := q.Pseudonym.String()
	switch {
	case q.Service != "" && e.Service != q.Service,
		q.Operation != "" && e.Operation != q.Operation,
		q.Outcome != 0 && e.Outcome != q.Outcome.String(),
		q.Code != "" && e.Code != q.Code,
		q.ID != (ID{}) && e.ID != q.ID.String(),
		q.RequestID != "" && e.RequestID != q.RequestID,
		q.AssertionID != "" && e.AssertionID != q.AssertionID,
		q.Establishment != "" && e.Establishment != q.Establishment,
		q.Client != "" && e.Client != q.Client,
		q.Session != "" && e.Session != q.Session,
		q.Grant != "" && e.Grant != q.Grant,
		q.TokenID != "" && !slices.ContainsFunc(e.Tokens, func(t TokenEntry) bool { return t.ID == q.TokenID }),
		q.Token != "" && !slices.ContainsFunc(e.Tokens, func(t TokenEntry) bool { return t.Digest == digestOf(q.Token) }),
		q.Authentication != (ID{}) && e.ID != q.Authentication.String() && e.Authentication != q.Authentication.String(),
		q.Pseudonym != (Pseudonym{}) && e.Credential != pseudonym && e.Subject.Pseudonym != pseudonym && e.Identity.Pseudonym != pseudonym && e.Holder.Pseudonym != pseudonym:
		return false
	}
	return true
}
