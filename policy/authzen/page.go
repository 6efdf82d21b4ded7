package authzen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
)

// Bounds of a page of a search.
const (
	maxPage    = 500  // results; also where the client names no limit
	maxDecided = 2000 // decisions that one page may cost
)

// uncounted is the total that nobody knows.
const uncounted = -1

// A page is the part of what a search finds that a request asks for (section 8.2 of the specification).
type page struct {
	asked    bool // the client speaks of pages
	first    bool
	limit    int // results at most
	position int // the candidate that it begins with
	total    int // how many results the first page counted, or uncounted

	question, properties [sha256.Size]byte // what the token of the next page is bound to
}

// page reads which page is asked for. Beside the token, which has them, limit and properties may be left out, as in the examples of the
// specification and in its certification; what is given must be that of the page before.
func (c *call) page(operation string, t tuple) (*page, *failure) {
	object, f := t.object("page", false)
	if f != nil {
		return nil, f
	}
	p := &page{asked: object != nil, limit: maxPage, total: uncounted, first: true}
	p.question = bind(operation, c.client.Name, map[string]any{"subject": t["subject"], "action": t["action"], "resource": t["resource"], "context": t["context"]})
	value, limited := object["limit"]
	if limited {
		if p.limit, f = limit(value); f != nil {
			return nil, f
		}
	}
	own, f := properties(object, "page")
	if f != nil {
		return nil, f
	}
	if own != nil {
		p.properties = bind("page", "properties", own)
	}
	value, given := object["token"]
	token, ok := value.(string)
	switch {
	case given && !ok:
		return nil, bad("token of page is not a text")
	case token == "": // what the last page has, or the first one
		return p, nil
	}
	before, err := c.pages.open(token)
	switch {
	case err != nil:
		return nil, bad("token of page is none that was given out here: begin again without it")
	case before.question != p.question:
		return nil, bad("token of page is of another question: begin again without it")
	case before.epoch != c.epoch:
		return nil, bad("the policies have changed since token of page was given out: begin again without it")
	case limited && before.limit != p.limit:
		return nil, bad("limit of page is another than before: begin again without token")
	case own != nil && before.properties != p.properties:
		return nil, bad("properties of page are others than before: begin again without token")
	}
	return &page{asked: true, limit: before.limit, position: before.position, total: before.total, question: p.question, properties: before.properties}, nil
}

// limit reads how many results a page may have. More than maxPage is maxPage.
func limit(value any) (int, *failure) {
	number, ok := value.(json.Number)
	n, err := strconv.ParseUint(string(number), 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return maxPage, nil
	}
	if !ok || err != nil {
		return 0, bad("limit of page is not a whole number from 0")
	}
	return int(min(n, maxPage)), nil
}

// bind gives the digest of what a client sent. Objects are written with their keys in order, numbers as they came.
func bind(operation, client string, sent map[string]any) (digest [sha256.Size]byte) {
	text, err := json.Marshal([]any{operation, client, sent})
	if err != nil { // what was read from JSON is written as JSON
		panic("authzen: " + err.Error())
	}
	return sha256.Sum256(text)
}

// A pageAnswer is the member page of the answer to a search.
type pageAnswer struct {
	NextToken string `json:"next_token"` // empty: there is no more
	Count     int    `json:"count"`
	Total     *int   `json:"total,omitempty"`
}

// pageAnswer describes a page; nil when it is everything, to a client that does not speak of pages.
func (c *call) pageAnswer(p *page, found *finding) *pageAnswer {
	if !p.asked && !found.more {
		return nil
	}
	a := &pageAnswer{Count: len(found.results)}
	if p.total != uncounted {
		a.Total = &p.total
	}
	if found.more {
		a.NextToken = c.pages.seal(&pageToken{epoch: c.epoch, question: p.question, properties: p.properties, position: found.next, limit: p.limit, total: p.total})
	}
	return a
}

// An epoch is one set of policies, as long as it is in force.
type epoch [16]byte

// A pageToken says where a page begins, and of what. Position counts the candidates of the policies, not what a client may see of
// them; nobody reads it.
type pageToken struct {
	epoch                  epoch
	question, properties   [sha256.Size]byte
	position, limit, total int
}

// bytes of a token before it is sealed
const tokenSize = len(epoch{}) + 2*sha256.Size + 3*4

func (t *pageToken) append(dst []byte) []byte {
	dst = append(dst, t.epoch[:]...)
	dst = append(dst, t.question[:]...)
	dst = append(dst, t.properties[:]...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.position))
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.limit))
	return binary.BigEndian.AppendUint32(dst, uint32(t.total+1)) // uncounted is 0
}

func (t *pageToken) read(text *[tokenSize]byte) {
	rest := text[copy(t.epoch[:], text[:]):]
	rest = rest[copy(t.question[:], rest):]
	rest = rest[copy(t.properties[:], rest):]
	t.position, t.limit = int(binary.BigEndian.Uint32(rest)), int(binary.BigEndian.Uint32(rest[4:]))
	t.total = int(binary.BigEndian.Uint32(rest[8:])) - 1
}
