package bench

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/beevik/etree"
	validator "github.com/mattermost/xml-roundtrip-validator"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"

	"sceau/internal/testpki"
)

// A naiveService answers an attribute query the way a Go programmer would who has
// etree, goxmldsig, crypto/x509 and encoding/base64: nothing of ours is in it. It is
// right on honest messages and on messages that were changed. It is no service that
// may be let out: to be generous as a yardstick, it leaves out
//
//   - replay detection;
//   - revocation (no CRL), certificate policies, key usage, key strength, the profile of names;
//   - policy: everybody may have everything that the map of values holds;
//   - the registry: a map in memory is the authentic source, without validity, budget or cache;
//   - the audit trail, metrics, error codes (one error ends it);
//   - most of the binding: it compares the SSIN of the self-issued assertion with the
//     certificate, and neither names, nor issuer, nor namespaces of attributes;
//   - that the key of the inner signature is the one in its KeyInfo;
//   - the IssueInstants, and the bounds of the issued window by profile, certificates and attributes;
//   - the defences against signature wrapping beyond the three elements in their place;
//   - all limits: of size, depth, nodes, references, transforms;
//   - strictness of the XML beyond well-formedness as etree has it: undeclared prefixes, two
//     attributes or identifiers of one name.
//
// answerValidated is the same with what crewjam/saml puts before etree.ReadFromBytes, since what encoding/xml reads
// is not always what was signed: xml-roundtrip-validator, which costs more than all the rest. Our parser does that
// work in its one pass, so that this is the fairer of the two; the targets are held against the other.
//
// What is lean in it is lean on purpose. Certificates are parsed and chains built for every request, since
// none of these libraries offers to keep them.
// What goxmldsig cannot do (several detached parts by wsu:Id, r‖s) is done by hand
// around its canonicalizer, which is faster than its ValidationContext, and for the inner
// signature the same code is used.
type naiveService struct {
	identityRoots, identityCAs *x509.CertPool
	holderRoots, holderCAs     *x509.CertPool
	signing                    *dsig.SigningContext
	values                     map[string]string // by attribute name: the authentic source
	now                        func() time.Time
}

func newNaiveService(pki *testpki.PKI, signer *testpki.Leaf, values map[string]string) (*naiveService, error) {
	s := &naiveService{values: values, now: testpki.Now}
	pool := func(ders ...[]byte) *x509.CertPool {
		p := x509.NewCertPool()
		for _, der := range ders {
			certificate, err := x509.ParseCertificate(der)
			if err != nil {
				panic(err)
			}
			p.AddCert(certificate)
		}
		return p
	}
	s.identityRoots, s.identityCAs = pool(pki.CitizenRoot.DER(), pki.ForeignerRoot.DER()), pool(pki.CitizenCA.DER(), pki.ForeignerCA.DER())
	s.holderRoots, s.holderCAs = pool(pki.EHealthRoot.DER()), pool(pki.EHealthCA.DER())

	key, method := signer.Key, dsig.RSASHA256SignatureMethod
	if _, ok := key.Public().(*ecdsa.PublicKey); ok {
		key, method = plainECDSA{key}, dsig.ECDSASHA256SignatureMethod
	}
	var err error
	if s.signing, err = dsig.NewSigningContext(key, [][]byte{signer.DER}); err != nil {
		return nil, err
	}
	s.signing.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	s.signing.IdAttribute = "AssertionID"
	s.signing.Prefix = "ds"
	return s, s.signing.SetSignatureMethod(method)
}

// plainECDSA signs as XML Signature wants it, r‖s; goxmldsig writes what Sign gives.
type plainECDSA struct{ crypto.Signer }

func (k plainECDSA) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	r, s, err := ecdsa.Sign(random, k.Signer.(*ecdsa.PrivateKey), digest)
	if err != nil {
		return nil, err
	}
	size := (k.Public().(*ecdsa.PublicKey).Curve.Params().BitSize + 7) / 8
	value := make([]byte, 2*size)
	r.FillBytes(value[:size])
	s.FillBytes(value[size:])
	return value, nil
}

var errNaive = errors.New("naive: refused")

// answerValidated is answer, after the round trip has been validated.
func (s *naiveService) answerValidated(message []byte) ([]byte, error) {
	if err := validator.Validate(bytes.NewReader(message)); err != nil {
		return nil, err
	}
	return s.answer(message)
}

// answer is the whole road.
func (s *naiveService) answer(message []byte) ([]byte, error) {
	document, err := naiveParse(message)
	if err != nil {
		return nil, err
	}
	envelope := document.Root()
	security, body := child(child(envelope, "Header"), "Security"), child(envelope, "Body")
	token, timestamp, signature := child(security, "BinarySecurityToken"), child(security, "Timestamp"), child(security, "Signature")
	request := child(body, "Request")
	if token == nil || timestamp == nil || signature == nil || request == nil {
		return nil, errNaive
	}
	if err := s.fresh(timestamp); err != nil {
		return nil, err
	}
	identity, err := s.certificate(token.Text(), s.identityRoots, s.identityCAs)
	if err != nil {
		return nil, err
	}
	if err := verifySignature(envelope, signature, identity.PublicKey, body, timestamp, token); err != nil {
		return nil, err
	}

	query := child(request, "AttributeQuery")
	subject := child(query, "Subject")
	confirmation := child(subject, "SubjectConfirmation")
	inner := child(request, "Signature")
	held := child(child(child(confirmation, "KeyInfo"), "X509Data"), "X509Certificate")
	if inner == nil || held == nil || child(confirmation, "ConfirmationMethod").NotNil().Text() != "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key" {
		return nil, errNaive
	}
	holder, err := s.certificate(held.Text(), s.holderRoots, s.holderCAs)
	if err != nil {
		return nil, err
	}
	if err := verifySignature(request, inner, holder.PublicKey, request); err != nil {
		return nil, err
	}
	return s.respond(request, query, subject, confirmation, identity, holder)
}

// naiveParse parses; ValidateInput has etree refuse what is not well-formed.
func naiveParse(message []byte) (*etree.Document, error) {
	document := etree.NewDocument()
	document.ReadSettings.ValidateInput = true
	return document, document.ReadFromBytes(message)
}

// fresh checks the Timestamp.
func (s *naiveService) fresh(timestamp *etree.Element) error {
	created, err := time.Parse(time.RFC3339, child(timestamp, "Created").NotNil().Text())
	if err != nil {
		return err
	}
	expires, err := time.Parse(time.RFC3339, child(timestamp, "Expires").NotNil().Text())
	if err != nil {
		return err
	}
	if now := s.now(); created.After(now.Add(time.Minute)) || !expires.After(now.Add(-time.Minute)) {
		return errNaive
	}
	return nil
}

// certificate decodes, parses and verifies a certificate.
func (s *naiveService) certificate(text string, roots, intermediates *x509.CertPool) (*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	_, err = certificate.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: s.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return certificate, err
}

// verifySignature verifies a ds:Signature, which must sign exactly the wanted
// elements, found under root by their identifiers.
func verifySignature(root, signature *etree.Element, key crypto.PublicKey, wanted ...*etree.Element) error {
	info := child(signature, "SignedInfo")
	if info == nil {
		return errNaive
	}
	signed := map[*etree.Element]bool{}
	for _, reference := range info.ChildElements() {
		if reference.Tag != "Reference" {
			continue
		}
		id, ok := strings.CutPrefix(reference.SelectAttrValue("URI", ""), "#")
		if !ok || id == "" {
			return errNaive
		}
		target := findID(root, id)
		if target == nil {
			return errNaive
		}
		octets, err := canonical(target, reference)
		if err != nil {
			return err
		}
		digest, err := base64.StdEncoding.DecodeString(child(reference, "DigestValue").NotNil().Text())
		if err != nil {
			return err
		}
		if method := child(reference, "DigestMethod").NotNil().SelectAttrValue("Algorithm", ""); method != "http://www.w3.org/2001/04/xmlenc#sha256" {
			return errNaive
		}
		if sum := sha256.Sum256(octets); !bytes.Equal(sum[:], digest) {
			return errNaive
		}
		signed[target] = true
	}
	for _, element := range wanted {
		if !signed[element] {
			return errNaive
		}
	}
	return verifyValue(info, signature, key)
}

// canonical applies the transforms of a reference.
func canonical(target, reference *etree.Element) ([]byte, error) {
	context, err := etreeutils.NSBuildParentContext(target)
	if err != nil {
		return nil, err
	}
	alone, err := etreeutils.NSDetatch(context, target)
	if err != nil {
		return nil, err
	}
	prefixes := ""
	for _, transform := range child(reference, "Transforms").NotNil().ChildElements() {
		switch transform.SelectAttrValue("Algorithm", "") {
		case dsig.EnvelopedSignatureAltorithmId.String():
			alone.RemoveChild(child(alone, "Signature"))
		case dsig.CanonicalXML10ExclusiveAlgorithmId.String():
			prefixes = prefixList(transform)
		default:
			return nil, errNaive
		}
	}
	return dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes).Canonicalize(alone)
}

func prefixList(method *etree.Element) string {
	return child(method, "InclusiveNamespaces").NotNil().SelectAttrValue("PrefixList", "")
}

// verifyValue verifies the signature value over SignedInfo.
func verifyValue(info, signature *etree.Element, key crypto.PublicKey) error {
	context, err := etreeutils.NSBuildParentContext(info)
	if err != nil {
		return err
	}
	alone, err := etreeutils.NSDetatch(context, info)
	if err != nil {
		return err
	}
	octets, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixList(child(info, "CanonicalizationMethod"))).Canonicalize(alone)
	if err != nil {
		return err
	}
	value, err := base64.StdEncoding.DecodeString(child(signature, "SignatureValue").NotNil().Text())
	if err != nil {
		return err
	}
	hash := crypto.SHA256
	if child(info, "SignatureMethod").NotNil().SelectAttrValue("Algorithm", "") == dsig.ECDSASHA384SignatureMethod {
		hash = crypto.SHA384
	}
	h := hash.New()
	h.Write(octets)
	switch key := key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, h.Sum(nil), value)
	case *ecdsa.PublicKey:
		half := len(value) / 2
		if ecdsa.Verify(key, h.Sum(nil), new(big.Int).SetBytes(value[:half]), new(big.Int).SetBytes(value[half:])) {
			return nil
		}
	}
	return errNaive
}

// child returns the first child element of that local name, nil for none or of nil.
func child(e *etree.Element, tag string) *etree.Element {
	if e == nil {
		return nil
	}
	for _, token := range e.Child {
		if c, ok := token.(*etree.Element); ok && c.Tag == tag {
			return c
		}
	}
	return nil
}

// findID walks a tree for the element with an identifier.
func findID(e *etree.Element, id string) *etree.Element {
	for i := range e.Attr {
		switch e.Attr[i].Key {
		case "Id", "ID", "RequestID", "AssertionID":
			if e.Attr[i].Value == id {
				return e
			}
		}
	}
	for _, token := range e.Child {
		if c, ok := token.(*etree.Element); ok {
			if found := findID(c, id); found != nil {
				return found
			}
		}
	}
	return nil
}
