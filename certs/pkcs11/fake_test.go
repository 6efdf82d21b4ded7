//go:build pkcs11 && cgo

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"math/big"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"
)

// A fakeToken is a token with one P-256 key that fails as it is told to: what real ones do
// when their cable is pulled cannot be asked of SoftHSM.
type fakeToken struct {
	cryptoki // nil: what is not here is not called

	key    atomic.Pointer[ecdsa.PrivateKey]
	pin    atomic.Pointer[string]
	logins atomic.Int64
	inits  atomic.Int64
	open   atomic.Int64 // sessions

	mu       sync.Mutex
	signInit error         // fails every SignInit
	sign     error         // fails every Sign
	present  bool          // the token is there
	flip     bool          // signatures are wrong
	hang     chan struct{} // Sign waits for it
	takes    time.Duration // what a Sign takes
	given    []byte        // what Sign gives, where not nil
	next     uint
}

func newFakeToken(key *ecdsa.PrivateKey) *fakeToken {
	f := &fakeToken{present: true}
	pin := "1234"
	f.key.Store(key)
	f.pin.Store(&pin)
	return f
}

func (f *fakeToken) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeToken) Initialize(...pkcs11.InitializeOption) error { f.inits.Add(1); return nil }

// Finalize closes all sessions, as a module does.
func (f *fakeToken) Finalize() error { f.open.Store(0); return nil }

func (f *fakeToken) GetSlotList(bool) ([]uint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.present {
		return nil, nil
	}
	return []uint{3}, nil
}

func (f *fakeToken) GetTokenInfo(uint) (pkcs11.TokenInfo, error) {
	return pkcs11.TokenInfo{Label: "fake"}, nil
}

func (f *fakeToken) OpenSession(uint, uint) (pkcs11.SessionHandle, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.present {
		return 0, pkcs11.Error(pkcs11.CKR_TOKEN_NOT_PRESENT)
	}
	f.next++
	f.open.Add(1)
	return pkcs11.SessionHandle(f.next), nil
}

func (f *fakeToken) CloseSession(pkcs11.SessionHandle) error { f.open.Add(-1); return nil }

func (f *fakeToken) Login(_ pkcs11.SessionHandle, _ uint, pin string) error {
	f.logins.Add(1)
	if pin != *f.pin.Load() {
		return pkcs11.Error(pkcs11.CKR_PIN_INCORRECT)
	}
	return nil
}

func (f *fakeToken) FindObjectsInit(pkcs11.SessionHandle, []*pkcs11.Attribute) error { return nil }

func (f *fakeToken) FindObjects(pkcs11.SessionHandle, int) ([]pkcs11.ObjectHandle, bool, error) {
	return []pkcs11.ObjectHandle{1}, false, nil
}

func (f *fakeToken) FindObjectsFinal(pkcs11.SessionHandle) error { return nil }

// GetAttributeValue shows no public key: what is left is the probe.
func (f *fakeToken) GetAttributeValue(pkcs11.SessionHandle, pkcs11.ObjectHandle, []*pkcs11.Attribute) ([]*pkcs11.Attribute, error) {
	return nil, pkcs11.Error(pkcs11.CKR_ATTRIBUTE_TYPE_INVALID)
}

func (f *fakeToken) SignInit(pkcs11.SessionHandle, []*pkcs11.Mechanism, pkcs11.ObjectHandle) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.signInit
}

func (f *fakeToken) Sign(_ pkcs11.SessionHandle, digest []byte) ([]byte, error) {
	f.mu.Lock()
	hang, fails, flip, takes, given := f.hang, f.sign, f.flip, f.takes, f.given
	f.mu.Unlock()
	time.Sleep(takes)
	if given != nil {
		return given, nil
	}
	if hang != nil {
		<-hang
	}
	if fails != nil {
		return nil, fails
	}
	r, s, err := ecdsa.Sign(rand.Reader, f.key.Load(), digest)
	if flip {
		s.Add(s, big.NewInt(1))
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, err
}

var _ crypto.Signer = (*Key)(nil)
