// Package people is accounts in a file, of people who are invented: for a demonstration, and for the test instance that an
// establishment gives to those who test with it (EXI FI 29 and 30). It is an [authn.Accounts], a [password.Verifier] and the
// secrets of [totp].
//
//	test-identities: true
//	people:
//	  - id: 7f0c2f5e-0000-4000-8000-000000000001
//	    username: alice
//	    password: $argon2id$v=19$m=19456,t=2,p=1$…
//	    given-name: Alice
//	    family-name: Exemple
//	    email: alice@hopital.example
//	    identifiers: {rpps: [99700000001], ssin: ["00000000097"]}
//	    groups: [doctors]
//	    totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
//
// A file that does not say test-identities is refused, and whoever configures an instance that is no test refuses what says
// Sandbox: real people belong into a directory, where they are closed when they leave.
package people

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/argon2"

	"sceau/oidc/authn"
	"sceau/oidc/means/limit"
	"sceau/oidc/means/password"
	"sceau/oidc/means/totp"
)

// file is what a file says.
type file struct {
	Test   bool     `yaml:"test-identities"`
	People []person `yaml:"people"`
}

type person struct {
	ID          string              `yaml:"id"`
	Username    string              `yaml:"username"`
	Password    string              `yaml:"password"`
	GivenName   string              `yaml:"given-name"`
	FamilyName  string              `yaml:"family-name"`
	Name        string              `yaml:"name"`
	Email       string              `yaml:"email"`
	Identifiers map[string][]string `yaml:"identifiers"`
	Groups      []string            `yaml:"groups"`
	Locked      bool                `yaml:"locked"`
	TOTP        string              `yaml:"totp"`
}

// known is a person as kept.
type known struct {
	account authn.Account
	hash    *hash // nil: no password
	secret  []byte
}

// People are the people of a file. It is immutable and safe for concurrent use.
type People struct {
	by    map[authn.Identifier]*known
	decoy *hash
	room  chan struct{} // one for each hash that is computed: they take memory
}

// maxFile bounds a file.
const maxFile = 4 << 20

// Load reads a file.
func Load(path string) (*People, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	p, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Parse reads the text of a file. All that is wrong is told at once, by the place of the person in the list.
func Parse(text []byte) (*People, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("more than %d octets", maxFile)
	}
	var f file
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(file)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	if !f.Test {
		return nil, errors.New("it does not say test-identities: true; real people belong into a directory")
	}
	p := &People{by: make(map[authn.Identifier]*known), room: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
	var wrong []error
	for i := range f.People {
		if err := p.add(&f.People[i]); err != nil {
			wrong = append(wrong, fmt.Errorf("person %d: %w", i+1, err))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	if p.decoy == nil {
		p.decoy = least
	}
	return p, nil
}

// add adds a person.
func (p *People) add(from *person) error {
	k := &known{account: authn.Account{
		ID: from.ID, Username: from.Username, GivenName: from.GivenName, FamilyName: from.FamilyName, Name: from.Name,
		Email: from.Email, EmailVerified: from.Email != "", Groups: from.Groups, Locked: from.Locked,
	}}
	if from.ID == "" || from.Username == "" {
		return errors.New("an id and a username are needed")
	}
	if k.account.Name == "" {
		k.account.Name = strings.TrimSpace(from.GivenName + " " + from.FamilyName)
	}
	var err error
	if from.Password != "" {
		if k.hash, err = parseHash(from.Password); err != nil {
			return err
		}
		// The decoy costs what the dearest costs.
		if p.decoy == nil || k.hash.cost() > p.decoy.cost() {
			p.decoy = k.hash
		}
	}
	if from.TOTP != "" {
		k.secret, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(from.TOTP, "=")))
		if err != nil {
			return errors.New("totp is no base32")
		}
	}
	ids := []authn.Identifier{{Type: "account", Value: from.ID}, {Type: "username", Value: limit.Name(from.Username)}}
	for _, t := range slices.Sorted(maps.Keys(from.Identifiers)) {
		id, err := authn.ParseKey(t)
		if err != nil || t == "account" || t == "username" {
			return fmt.Errorf("no identifier is of type %q", t)
		}
		for _, v := range from.Identifiers[t] {
			id.Value = v
			k.account.Identifiers = append(k.account.Identifiers, id)
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if _, taken := p.by[id]; taken {
			return fmt.Errorf("a %s of another person", id.Type)
		}
		p.by[id] = k
	}
	return nil
}

// Sandbox says that these are no real people.
func (p *People) Sandbox() bool { return true }

// Find implements authn.Accounts.
func (p *People) Find(_ context.Context, id authn.Identifier) (*authn.Account, error) {
	if id.Type == "username" {
		id.Value = limit.Name(id.Value)
	}
	k := p.by[id]
	if k == nil {
		return nil, authn.ErrNoAccount
	}
	return k.copy(), nil
}

// copy gives an account that the caller may change.
func (k *known) copy() *authn.Account {
	a := k.account
	a.Identifiers, a.Groups = slices.Clone(a.Identifiers), slices.Clone(a.Groups)
	return &a
}

// Why a password proves nothing, for the operator.
var (
	ErrNobody   = errors.New("people: nobody of that name")
	ErrPassword = errors.New("people: not the password")
	ErrLocked   = errors.New("people: the account is closed")
)

// Verify implements password.Verifier. Somebody who is not there, or has no password, costs what a wrong password costs.
func (p *People) Verify(ctx context.Context, username, secret string) (*authn.Account, error) {
	if secret == "" {
		return nil, &password.Rejection{Cause: ErrPassword}
	}
	k := p.by[authn.Identifier{Type: "username", Value: limit.Name(username)}]
	against := p.decoy
	if k != nil && k.hash != nil {
		against = k.hash
	}
	select {
	case p.room <- struct{}{}:
		defer func() { <-p.room }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	right := against.matches(secret)
	switch {
	case k == nil:
		return nil, &password.Rejection{Cause: ErrNobody}
	case k.hash == nil || !right:
		return nil, &password.Rejection{Cause: ErrPassword}
	case k.account.Locked:
		return nil, &password.Rejection{Cause: ErrLocked}
	}
	return k.copy(), nil
}

// Secret implements totp.Secrets.
func (p *People) Secret(_ context.Context, a *authn.Account) ([]byte, error) {
	k := p.by[authn.Identifier{Type: "account", Value: a.ID}]
	if k == nil || k.secret == nil {
		return nil, totp.ErrNotEnrolled
	}
	return slices.Clone(k.secret), nil
}

// A hash is one of Argon2id (RFC 9106) with its parameters.
type hash struct {
	time, memory uint32 // memory in KiB
	threads      uint8
	salt, key    []byte
}

// least is what Hash makes, of nothing.
var least = &hash{time: 2, memory: 19456, threads: 1, salt: make([]byte, 16), key: make([]byte, 32)}

func (h *hash) cost() uint64 { return uint64(h.time) * uint64(h.memory) }

func (h *hash) matches(secret string) bool {
	got := argon2.IDKey([]byte(secret), h.salt, h.time, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(got, h.key) == 1
}

// Hash makes what stands in a file for a password.
func Hash(secret string) string {
	h := *least
	h.salt = make([]byte, 16)
	rand.Read(h.salt) // never fails (crypto/rand)
	h.key = argon2.IDKey([]byte(secret), h.salt, h.time, h.memory, h.threads, 32)
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", h.memory, h.time, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

// parseHash reads a hash as the reference implementation of Argon2 writes it.
func parseHash(text string) (*hash, error) {
	wrong := errors.New("the password is no hash of Argon2id: $argon2id$v=19$m=…,t=…,p=…$salt$key")
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return nil, wrong
	}
	h := &hash{}
	parameters := strings.Split(parts[3], ",")
	if len(parameters) != 3 {
		return nil, wrong
	}
	var numbers [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(parameters[i], name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n == 0 {
			return nil, wrong
		}
		numbers[i] = n
	}
	if numbers[0] < 8*numbers[2] || numbers[0] > 1<<20 || numbers[1] > 64 || numbers[2] > 64 {
		return nil, errors.New("a hash of parameters that cannot be: 8 KiB to 1 GiB, 64 passes and threads at most")
	}
	h.memory, h.time, h.threads = uint32(numbers[0]), uint32(numbers[1]), uint8(numbers[2])
	var errs [2]error
	h.salt, errs[0] = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	h.key, errs[1] = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errors.Join(errs[:]...) != nil || len(h.salt) < 8 || len(h.salt) > 64 || len(h.key) < 16 || len(h.key) > 64 {
		return nil, wrong
	}
	return h, nil
}

var (
	_ authn.Accounts    = (*People)(nil)
	_ password.Verifier = (*People)(nil)
	_ totp.Secrets      = (*People)(nil)
)
