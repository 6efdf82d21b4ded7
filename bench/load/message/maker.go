package message

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"sceau/bench/load/measure"
	"sceau/saml"
	"sceau/soap"
)

// MaxPad is the greatest MakerConfig.Pad, in bytes.
const MaxPad = 1_000_000

// DefaultLifetime is how long a message is valid: what most clients of the wire send (wire
// document 2.1).
const DefaultLifetime = time.Minute

// MakerConfig says which messages a Maker makes.
type MakerConfig struct {
	PKI *PKI
	Mix Mix
	// Seed decides which kind of message, and of which consumer, the n-th is.
	Seed uint64
	// Lifetime is Expires less Created; zero is DefaultLifetime.
	Lifetime time.Duration
	// Clock is the moment that all messages are made for, where that is agreed with the
	// server (test-clock of stsd). Zero: each is made for when it is made.
	Clock time.Time
	// Cold is how many pairs of cold certificates are issued ahead. What is needed beyond
	// them is issued when it is needed, for the price of two more signatures.
	Cold int
	// Progress, unless nil, is told how many of the Cold pairs are issued, by one goroutine at
	// a time.
	Progress func(done, total int)
	// Pad is how many bytes every message has at least: a shorter one is filled with white
	// space between Header and Body, which no signature covers, to exactly so many. At most
	// MaxPad.
	Pad int
	// Replay is where messages of kind Replay come from; needed where the Mix has them.
	Replay *Ring
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// A Maker makes messages, each once, and signs them when they are asked for: it satisfies
// drive.Source. NewMaker makes it; it is safe for concurrent use.
type Maker struct {
	config    MakerConfig
	wire      *Wire
	kinds     draw
	profiles  draw
	asked     []saml.Statement // designators of a good query
	unknown   []saml.Statement // and of one that asks for Wire.Unknown
	illFormed []byte
	blank     []byte // as much white space as is ever needed
	run       string // in all identifiers of this Maker, and in no others
	next      atomic.Uint64
	cold      []*consumer // issued ahead
	nextCold  atomic.Uint64
}

// NewMaker returns a Maker, when the cold certificates are issued. When ctx ends before, it gives
// up after those that are being issued.
func NewMaker(ctx context.Context, config MakerConfig) (*Maker, error) {
	m := &Maker{config: config}
	c := &m.config
	if c.PKI == nil {
		return nil, errors.New("message: maker: no PKI")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Lifetime == 0 {
		c.Lifetime = DefaultLifetime
	}
	m.wire = &c.PKI.config.Wire
	if c.Lifetime < time.Millisecond || c.Cold < 0 {
		return nil, errors.New("message: maker: lifetime below a millisecond, or cold negative")
	}
	if c.Pad < 0 || c.Pad > MaxPad {
		return nil, fmt.Errorf("message: maker: messages cannot be padded to %d bytes: 0 to %d", c.Pad, MaxPad)
	}
	if c.Mix[measure.Replay] > 0 && c.Replay == nil {
		return nil, errors.New("message: maker: the mix has replays, and there is no ring that they come from")
	}
	if err := m.draws(); err != nil {
		return nil, err
	}
	var nonce [8]byte
	rand.Read(nonce[:])
	m.run = hex.EncodeToString(nonce[:])
	m.designate()
	m.blank = bytes.Repeat([]byte(" "), c.Pad)
	if err := m.cut(); err != nil {
		return nil, err
	}
	m.cold = make([]*consumer, c.Cold)
	if err := parallel(ctx, c.Cold, c.Progress, func(i int) (err error) {
		m.cold[i], err = c.PKI.cold(m.consumerOf(uint64(i)))
		return err
	}); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Maker) draws() error {
	var err error
	if m.kinds, err = drawKinds(m.config.Mix); err != nil {
		return err
	}
	var weights []int
	for _, p := range m.config.PKI.config.Profiles {
		weights = append(weights, p.Weight)
	}
	if m.profiles, err = newDraw(weights); err != nil {
		return fmt.Errorf("message: maker: weights of profiles: %w", err)
	}
	return nil
}

// designate lists what is asked for, identification first (wire document 2.2).
func (m *Maker) designate() {
	for _, d := range m.wire.Identification {
		m.asked = append(m.asked, saml.Statement{Name: d.Name, Namespace: d.Namespace})
	}
	for i := range m.wire.Asked {
		m.asked = append(m.asked, saml.Statement{Name: m.wire.Asked[i].Name, Namespace: m.wire.Asked[i].Namespace})
	}
	m.unknown = append(append(m.unknown, m.asked...), saml.Statement{Name: m.wire.Unknown.Name, Namespace: m.wire.Unknown.Namespace})
}

// cut makes the ill-formed message: one whose end is missing, so that a server reads all of
// it before it knows. It needs no life of its own: nobody gets as far as its Timestamp.
func (m *Maker) cut() error {
	whole, err := m.query(m.config.PKI.consumers[0], m.id(0, ^uint64(0)), m.config.Now(), m.asked)
	if err != nil {
		return err
	}
	m.illFormed, err = m.pad(whole[:len(whole)-len("Envelope>")])
	return err
}

// Live reports that Next signs.
func (m *Maker) Live() bool { return true }

// Next makes a message. It is made for this very moment, or for the agreed one, and not for
// due: what was late is not made older than it is.
func (m *Maker) Next(_ time.Time, shot *measure.Shot) error {
	now := m.config.Now()
	made, err := m.make(m.next.Add(1)-1, m.moment(now))
	if err != nil {
		return err
	}
	made.shot(shot, m.wire.Action, m.config.Replay, now)
	return nil
}

// moment returns the agreed moment, or at where none is.
func (m *Maker) moment(at time.Time) time.Time {
	if !m.config.Clock.IsZero() {
		return m.config.Clock
	}
	return at
}

// A made is a message with what becomes of it when it is sent. One of kind Replay has a good
// query in it, which is sent in its place while there is nothing to replay.
type made struct {
	kind     measure.Kind
	id       string
	sequence uint64
	body     []byte // of this message alone, or shared and never altered
}

// shot turns what was made into what is sent.
func (d *made) shot(shot *measure.Shot, action string, ring *Ring, now time.Time) {
	*shot = measure.Shot{Kind: d.kind, Body: d.body, Action: action, ID: d.id, Sequence: d.sequence}
	switch d.kind {
	case measure.Replay:
		if again := ring.take(now); again != nil {
			shot.Body, shot.ID = again, ""
		} else {
			shot.Kind = measure.Query
		}
	case measure.BadSignature, measure.IllFormed:
		shot.ID = "" // a fault refers to nothing
	}
}

// make makes message number n for a moment.
func (m *Maker) make(n uint64, at time.Time) (made, error) {
	kind, c := measure.Kinds()[m.kinds.at(scatter(m.config.Seed, 3*n))], m.consumerOf(n)
	d := made{kind: kind, sequence: n}
	if kind == measure.IllFormed {
		d.body = m.illFormed
		return d, nil
	}
	asked := m.asked
	var err error
	switch kind {
	case measure.UnknownAttribute:
		asked = m.unknown
	case measure.ColdCertificate:
		if c, err = m.coldConsumer(c); err != nil {
			return made{}, err
		}
	}
	d.id = m.id(c.number, n)
	if d.body, err = m.query(c, d.id, at, asked); err != nil {
		return made{}, err
	}
	if d.body, err = m.pad(d.body); err == nil && kind == measure.BadSignature {
		err = spoil(d.body)
	}
	return d, err
}

// consumerOf returns the consumer of message n: a profile by its weight, one of it evenly.
func (m *Maker) consumerOf(n uint64) *consumer {
	profile := m.profiles.at(scatter(m.config.Seed, 3*n+1))
	pki := m.config.PKI
	one := scatter(m.config.Seed, 3*n+2) % uint64(pki.config.Profiles[profile].Consumers)
	return pki.consumers[pki.first[profile]+int(one)]
}

// coldConsumer takes a pair of certificates that were issued ahead, whoever they are of, or
// issues some.
func (m *Maker) coldConsumer(base *consumer) (*consumer, error) {
	if i := m.nextCold.Add(1) - 1; i < uint64(len(m.cold)) {
		return m.cold[i], nil
	}
	return m.config.PKI.cold(base)
}

const (
	requestPrefix   = "request-"
	assertionPrefix = "assertion-"
)

// id returns what makes the identifiers of message n: the number of its consumer, by which
// the Checker finds whom an answer must be about, the run, and n.
func (m *Maker) id(consumer int, n uint64) string {
	b := make([]byte, 0, 64)
	b = append(b, requestPrefix...)
	b = strconv.AppendInt(b, int64(consumer), 10)
	b = append(b, '.')
	b = append(b, m.run...)
	b = append(b, '.')
	return string(strconv.AppendUint(b, n, 10))
}

// consumerIn returns the number of the consumer in an identifier.
func consumerIn(id string) (int, bool) {
	if len(id) < len(requestPrefix) || id[:len(requestPrefix)] != requestPrefix {
		return 0, false
	}
	number := 0
	for i := len(requestPrefix); i < len(id); i++ {
		digit := id[i] - '0'
		if id[i] == '.' {
			return number, i > len(requestPrefix)
		}
		if digit > 9 || number > maxConsumers {
			return 0, false
		}
		number = number*10 + int(digit)
	}
	return 0, false
}

// query writes and signs the message of one query.
func (m *Maker) query(c *consumer, id string, at time.Time, asked []saml.Statement) ([]byte, error) {
	query := saml.Query{
		RequestID:      id,
		AssertionID:    assertionPrefix + id[len(requestPrefix):],
		IssueInstant:   at,
		Issuer:         c.subject.Subject,
		Subject:        c.subject,
		NotBefore:      at,
		NotOnOrAfter:   at.Add(m.wire.Validity),
		Holder:         c.holder.Raw(),
		Identification: c.claimed,
		Designators:    asked,
	}
	content, err := saml.AppendQuery(make([]byte, 0, 8<<10), &query, c.inner)
	if err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	out := soap.Outgoing{Content: content, Created: at, Expires: at.Add(m.config.Lifetime), Certificate: c.identity.Raw(), BodyID: "body-" + id}
	body, err := out.Append(make([]byte, 0, len(content)+4<<10), c.header)
	if err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	return body, nil
}

var bodyOpen = []byte("<soapenv:Body")

// pad returns a message of at least Pad bytes: before the Body, where no signature looks, it has
// as much white space more as it needs.
func (m *Maker) pad(body []byte) ([]byte, error) {
	more := m.config.Pad - len(body)
	if more <= 0 {
		return body, nil
	}
	at := bytes.Index(body, bodyOpen) // in the Header "<" begins nothing but its own elements
	if at < 0 {
		return nil, errors.New("message: no Body to pad a message before")
	}
	padded := make([]byte, 0, m.config.Pad)
	return append(append(append(padded, body[:at]...), m.blank[:more]...), body[at:]...), nil
}

var (
	valueOpen  = []byte("<ds:SignatureValue>")
	valueClose = []byte("</ds:SignatureValue>")
)

var errNoSignature = errors.New("message: no header signature to spoil")

// spoil alters the signature of the header, which is the first: a character in the middle,
// so that it is base64 and of the right length still, and the whole work of verifying it is
// to be done.
func spoil(body []byte) error {
	start, end := bytes.Index(body, valueOpen)+len(valueOpen), bytes.Index(body, valueClose)
	if start < len(valueOpen) || end <= start {
		return errNoSignature
	}
	at := start + (end-start)/2
	if body[at] == 'A' {
		body[at] = 'B'
	} else {
		body[at] = 'A'
	}
	return nil
}
