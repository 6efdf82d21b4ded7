package saml2

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// sign puts an enveloped signature into a document that we wrote ourselves, as the first
// child of its element: there the schemas of SAML 2.0 want it.
func sign(text []byte, key crypto.Signer, certificate []byte) ([]byte, error) {
	document := etree.NewDocument()
	if err := document.ReadFromBytes(text); err != nil {
		return nil, err
	}
	hash := crypto.SHA256
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
	case *ecdsa.PublicKey:
		// The hash that fits the curve (FIPS 186-5 section 6.4: no weaker than the key).
		switch bits := public.Curve.Params().BitSize; bits {
		case 256:
		case 384:
			hash = crypto.SHA384
		case 521:
			hash = crypto.SHA512
		default:
			return nil, errors.New("a key on another curve than P-256, P-384 and P-521")
		}
		key = rawECDSA{Signer: key, size: (public.Curve.Params().BitSize + 7) / 8}
	default:
		return nil, errors.New("the key is neither RSA nor ECDSA")
	}
	context, err := dsig.NewSigningContext(key, [][]byte{certificate})
	if err != nil {
		return nil, err
	}
	context.Hash = hash
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signature, err := context.ConstructSignature(document.Root(), true)
	if err != nil {
		return nil, err
	}
	document.Root().InsertChildAt(0, signature)
	return document.WriteToBytes()
}

// rawECDSA makes ECDSA signatures as XML Signature 1.1 section 6.4.3 wants them, r‖s in
// fields of fixed size, of the DER that a crypto.Signer gives.
type rawECDSA struct {
	crypto.Signer
	size int // octets of the order of the curve
}

func (s rawECDSA) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	der, err := s.Signer.Sign(random, digest, options)
	if err != nil {
		return nil, err
	}
	var value struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &value)
	if err != nil || len(rest) > 0 || !s.fits(value.R) || !s.fits(value.S) {
		return nil, errors.New("the key gave a signature that is none")
	}
	raw := make([]byte, 2*s.size)
	value.R.FillBytes(raw[:s.size])
	value.S.FillBytes(raw[s.size:])
	return raw, nil
}

func (s rawECDSA) fits(n *big.Int) bool { return n.Sign() > 0 && (n.BitLen()+7)/8 <= s.size }
