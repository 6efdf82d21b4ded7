package wallet

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/boombuler/barcode/qr"

	"sceau/oidc/authn"
	"sceau/oidc/page"
)

// open are the transactions of an attempt: the secret ids.
type open struct {
	Here  string `json:"here"`
	There string `json:"there,omitempty"` // for another device
}

// Serve implements authn.Means: a GET of the address shows the link and the code; of …/done, it takes the answer; of …/code.png, it draws the code.
func (m *Means) Serve(w http.ResponseWriter, r *http.Request, a *authn.Attempt) (*authn.Proof, error) {
	if r.Method != http.MethodGet {
		return nil, &authn.Refusal{Reason: authn.NotProven, Cause: errors.New("wallet: only GET")}
	}
	var o open
	if len(a.State) > 0 {
		if err := json.Unmarshal(a.State, &o); err != nil {
			return nil, fmt.Errorf("wallet: %w", err)
		}
	}
	switch a.Below {
	case "code.png":
		return nil, m.code(w, r, o.There)
	case "done":
		return m.done(w, r, a, o)
	}
	return nil, m.show(w, r, a, o, false)
}

// show writes the page. Transactions that wait are shown again: one attempt keeps two at most. One of this device that was answered is given
// up: the wallet led some other browser on, and here nobody would ever know its response_code.
func (m *Means) show(w http.ResponseWriter, r *http.Request, a *authn.Attempt, o open, waiting bool) error {
	done := a.URL + "/done"
	if waits, err := m.waits(r.Context(), o.Here, waiting, false); err != nil {
		return err
	} else if !waits {
		if o.Here, err = m.begin(r.Context(), a.ID, done); err != nil {
			return err
		}
	}
	if m.c.OtherDevice {
		if waits, err := m.waits(r.Context(), o.There, waiting, true); err != nil {
			return err
		} else if !waits {
			if o.There, err = m.begin(r.Context(), a.ID, ""); err != nil {
				return err
			}
		}
	}
	state, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	a.State = state
	p := page.Wallet{Link: m.link(o.Here), Waiting: waiting, Return: a.ReturnURL}
	if m.c.OtherDevice {
		p.Code, p.Done = a.URL+"/code.png", done
	}
	if a.Refused != nil {
		p.Refused = a.Refused.Reason
	}
	a.Pages.Write(w, r, http.StatusOK, p)
	return nil
}

// waits says whether a transaction can still be answered or, where that is of use, was and waits for its browser. One whose time is half
// over is not begun with, but stays where somebody is at it.
func (m *Means) waits(ctx context.Context, id string, begun, answered bool) (bool, error) {
	if id == "" {
		return false, nil
	}
	k, err := m.read(ctx, id)
	if errors.Is(err, errOver) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if k.Answer != nil {
		return answered, nil
	}
	return begun || k.Until.Sub(m.c.Now()) >= m.c.Lifetime/2, nil
}

// link leads to a wallet (OpenID4VP 5.1, 5.10): where the request object is, and that the wallet may post a nonce of its own for it.
func (m *Means) link(id string) string {
	scheme := m.c.Scheme
	if strings.HasSuffix(scheme, "://") { // an authority, since some systems take no address without one
		scheme += "authorize"
	}
	return scheme + "?" + url.Values{"client_id": {m.clientID}, "request_uri": {m.base + "/request/" + id}, "request_uri_method": {"post"}}.Encode()
}

const codeSize = 5 // of a module, in pixels

// code draws the QR code for the wallet of another device.
func (m *Means) code(w http.ResponseWriter, r *http.Request, id string) error {
	waits, err := m.waits(r.Context(), id, true, true)
	if err != nil {
		return err
	}
	if !waits {
		w.WriteHeader(http.StatusNotFound)
		return nil
	}
	drawn, err := qr.Encode(m.link(id), qr.M, qr.Auto)
	if err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return png.Encode(w, enlarge(drawn))
}

// enlarge draws each module as a square. Two colours cost a hundredth of what a picture of all of them does, and anybody may ask for it.
func enlarge(modules image.Image) image.Image {
	size := modules.Bounds().Dx()
	picture := image.NewPaletted(image.Rect(0, 0, size*codeSize, size*codeSize), color.Palette{color.White, color.Black})
	for y := range size * codeSize {
		for x := range size * codeSize {
			if level, _, _, _ := modules.At(x/codeSize, y/codeSize).RGBA(); level == 0 {
				picture.Pix[y*picture.Stride+x] = 1
			}
		}
	}
	return picture
}

// done takes the answer that a wallet gave to one of the transactions of the attempt.
func (m *Means) done(w http.ResponseWriter, r *http.Request, a *authn.Attempt, o open) (*authn.Proof, error) {
	id, code := o.There, r.URL.Query().Get("response_code")
	if code != "" {
		id = o.Here
	}
	if id == "" {
		return nil, &authn.Refusal{Reason: authn.Expired, Cause: errors.New("wallet: an answer to nothing, or to what was answered")}
	}
	k, err := m.read(r.Context(), id)
	if errors.Is(err, errOver) {
		a.State = nil
		return nil, &authn.Refusal{Reason: authn.Expired, Cause: err}
	} else if err != nil {
		return nil, err
	}
	if k.Answer == nil {
		return nil, m.show(w, r, a, o, true)
	}
	if k.Done != "" {
		sum := sha256.Sum256([]byte(code))
		if subtle.ConstantTimeCompare(sum[:], k.Answer.Code) != 1 {
			return nil, &authn.Refusal{Reason: authn.NotProven, Cause: errors.New("wallet: not the response_code that the wallet was given")}
		}
	}
	said, err := m.take(r.Context(), k)
	if errors.Is(err, errOver) { // the same address at the same time
		return nil, &authn.Refusal{Reason: authn.Expired, Cause: err}
	} else if err != nil {
		return nil, err
	}
	a.State = nil
	if said.Refused != 0 {
		return nil, &authn.Refusal{Reason: said.Refused, Cause: errors.New(said.Cause)}
	}
	if said.Time.Before(a.NotBefore) {
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: errors.New("wallet: presented too long ago for this client")}
	}
	return &authn.Proof{Identifier: said.Identifier, References: slices.Clone(m.c.References), Time: said.Time, Credential: said.Credential,
		Attributes: said.Attributes}, nil
}
