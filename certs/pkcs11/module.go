//go:build pkcs11 && cgo

package pkcs11

import (
	"crypto"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"
)

const built = true

// process holds the modules that this process has loaded, by path: a shared library is
// there once, for all, and so is its state between C_Initialize and C_Finalize.
var process struct {
	sync.Mutex
	modules map[string]*module
}

// A cryptoki is what is called of a module; *pkcs11.Ctx is one.
type cryptoki interface {
	Initialize(...pkcs11.InitializeOption) error
	Finalize() error
	GetSlotList(tokenPresent bool) ([]uint, error)
	GetTokenInfo(slot uint) (pkcs11.TokenInfo, error)
	OpenSession(slot, flags uint) (pkcs11.SessionHandle, error)
	CloseSession(pkcs11.SessionHandle) error
	Login(session pkcs11.SessionHandle, user uint, pin string) error
	FindObjectsInit(pkcs11.SessionHandle, []*pkcs11.Attribute) error
	FindObjects(session pkcs11.SessionHandle, most int) ([]pkcs11.ObjectHandle, bool, error)
	FindObjectsFinal(pkcs11.SessionHandle) error
	GetAttributeValue(pkcs11.SessionHandle, pkcs11.ObjectHandle, []*pkcs11.Attribute) ([]*pkcs11.Attribute, error)
	SignInit(pkcs11.SessionHandle, []*pkcs11.Mechanism, pkcs11.ObjectHandle) error
	Sign(session pkcs11.SessionHandle, message []byte) ([]byte, error)
	GenerateKeyPair(session pkcs11.SessionHandle, m []*pkcs11.Mechanism, public, private []*pkcs11.Attribute) (pkcs11.ObjectHandle, pkcs11.ObjectHandle, error)
}

// A module is a vendor's library.
type module struct {
	path string
	ctx  cryptoki

	// gate is held for reading by every call, and for writing while the module is
	// finalized and initialized: a call in a module that goes away is undefined.
	gate sync.RWMutex
	// Guarded by gate. Handles of one generation mean nothing, or another's, in the next.
	generation  uint64
	initialized bool

	mu     sync.Mutex
	inUse  int               // connections that sign
	keys   map[*Key]struct{} // that are open
	logins sync.Mutex
}

// loadModule loads a module and initializes it, once.
func loadModule(path string) (*module, error) {
	process.Lock()
	defer process.Unlock()
	if m := process.modules[path]; m != nil {
		return m, nil // where it is not initialized, whoever connects renews it
	}
	ctx := pkcs11.New(path)
	if ctx == nil {
		return nil, fmt.Errorf("%w: %s could not be loaded", ErrModule, path)
	}
	m := &module{path: path, ctx: ctx}
	if process.modules == nil {
		process.modules = map[string]*module{}
	}
	process.modules[path] = m
	m.gate.Lock()
	defer m.gate.Unlock()
	return m, m.initialize()
}

// initialize initializes unless that is done. The gate is held for writing.
func (m *module) initialize() error {
	if m.initialized {
		return nil
	}
	if err := m.ctx.Initialize(); err != nil && !isCode(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		return fmt.Errorf("%w: %s: %w", ErrModule, m.path, err)
	}
	m.generation++
	m.initialized = true
	return nil
}

// renew finalizes and initializes, for modules that see a token that came back only
// then. It is refused while any connection signs or any call is inside.
func (m *module) renew() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.inUse > 0 {
		return fmt.Errorf("%w: another key of the module is at work", ErrUnavailable)
	}
	if !m.gate.TryLock() {
		return fmt.Errorf("%w: a call is inside the module", ErrUnavailable)
	}
	defer m.gate.Unlock()
	if m.initialized {
		_ = m.ctx.Finalize() // what could not be finalized is told by what follows
		m.initialized = false
	}
	return m.initialize()
}

// use makes a call of a generation, unless the module has been renewed since.
func (m *module) use(generation uint64, call func(cryptoki) error) error {
	m.gate.RLock()
	defer m.gate.RUnlock()
	if !m.initialized || m.generation != generation {
		return fmt.Errorf("%w: the module was initialized anew", ErrUnavailable)
	}
	return call(m.ctx)
}

// begin makes the first call of a connection and tells the generation it is of.
func (m *module) begin(call func(cryptoki) error) (generation uint64, err error) {
	m.gate.RLock()
	defer m.gate.RUnlock()
	if !m.initialized {
		return 0, fmt.Errorf("%w: %s is not initialized", ErrUnavailable, m.path)
	}
	return m.generation, call(m.ctx)
}

func (m *module) addInUse(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inUse += n
}

func (m *module) join(k *Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = map[*Key]struct{}{}
	}
	m.keys[k] = struct{}{}
}

func (m *module) leave(k *Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, k)
}

// doubtOthers lets the other keys look at once whether their token is still there: while
// one believes so, the module is not renewed.
func (m *module) doubtOthers(lost *Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.keys {
		if k != lost {
			select {
			case k.doubt <- struct{}{}:
			default:
			}
		}
	}
}

func isCode(err error, codes ...uint) bool {
	var e pkcs11.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e == pkcs11.Error(code) {
			return true
		}
	}
	return false
}

// ofRequest tells the errors that speak of one request and not of the token. They come
// before a signature is under way, so that the session is as before.
func ofRequest(err error) bool {
	return isCode(err, pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID, pkcs11.CKR_DATA_LEN_RANGE,
		pkcs11.CKR_DATA_INVALID, pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED, pkcs11.CKR_KEY_TYPE_INCONSISTENT, pkcs11.CKR_KEY_SIZE_RANGE)
}

// findSlot finds the one slot whose token the URI names.
func (u *URI) findSlot(ctx cryptoki) (uint, error) {
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	var found []uint
	for _, slot := range slots {
		info, err := ctx.GetTokenInfo(slot)
		if err != nil || u.Slot != nil && *u.Slot != slot {
			continue // a token that cannot tell its name is not the one
		}
		same := func(want, is string) bool { return want == "" || want == is }
		if same(u.Token, info.Label) && same(u.Serial, info.SerialNumber) && same(u.Model, info.Model) && same(u.Manufacturer, info.ManufacturerID) {
			found = append(found, slot)
		}
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("%w: no token of that name is present", ErrUnavailable)
	case 1:
		return found[0], nil
	}
	return 0, fmt.Errorf("%w: %d tokens of that name", ErrUnavailable, len(found))
}

// openSession opens a session that is logged in.
func openSession(ctx cryptoki, slot uint, flags uint, pin string) (pkcs11.SessionHandle, error) {
	session, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|flags)
	if err != nil {
		return 0, fmt.Errorf("%w: session: %w", ErrUnavailable, err)
	}
	err = ctx.Login(session, pkcs11.CKU_USER, pin)
	switch {
	case err == nil || isCode(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN):
		return session, nil
	case isCode(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_LOCKED, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE):
		err = fmt.Errorf("%w: %w", ErrPIN, err)
	default:
		err = fmt.Errorf("%w: login: %w", ErrUnavailable, err)
	}
	_ = ctx.CloseSession(session)
	return 0, err
}

// find finds the objects of a class that the URI names.
func (u *URI) find(ctx cryptoki, session pkcs11.SessionHandle, class uint) ([]pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}
	if u.Object != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, u.Object))
	}
	if u.ID != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(u.ID)))
	}
	if err := ctx.FindObjectsInit(session, template); err != nil {
		return nil, fmt.Errorf("%w: find: %w", ErrUnavailable, err)
	}
	found, _, err := ctx.FindObjects(session, 2)
	if final := ctx.FindObjectsFinal(session); err == nil {
		err = final
	}
	if err != nil {
		return nil, fmt.Errorf("%w: find: %w", ErrUnavailable, err)
	}
	return found, nil
}

// findKey finds the one private key that the URI names, and looks whether it is another
// than the expected one where the token shows its public half. Where it does not, the probe
// tells.
func (u *URI) findKey(ctx cryptoki, session pkcs11.SessionHandle, public crypto.PublicKey) (pkcs11.ObjectHandle, error) {
	private, err := u.find(ctx, session, pkcs11.CKO_PRIVATE_KEY)
	switch {
	case err != nil:
		return 0, err
	case len(private) == 0:
		return 0, fmt.Errorf("%w: the token holds no private key of that name", ErrKey)
	case len(private) > 1:
		return 0, fmt.Errorf("%w: the token holds several private keys of that name", ErrKey)
	}
	publics, err := u.find(ctx, session, pkcs11.CKO_PUBLIC_KEY)
	if err != nil {
		return 0, err
	}
	if len(publics) == 1 {
		shown, err := readPublic(ctx, session, publics[0])
		comparable, _ := public.(interface{ Equal(crypto.PublicKey) bool })
		if err == nil && (comparable == nil || !comparable.Equal(shown)) {
			return 0, ErrOtherKey
		}
	}
	return private[0], nil
}

// pin reads the PIN.
func (u *URI) pin() (string, error) {
	const most = 1024
	content, err := os.ReadFile(u.PINSource)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrPIN, err)
	}
	pin := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if pin == "" || len(pin) > most {
		return "", fmt.Errorf("%w: %s is empty or too long", ErrPIN, u.PINSource)
	}
	return pin, nil
}
