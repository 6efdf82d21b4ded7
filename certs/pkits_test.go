package certs_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sceau/certs"
	"sceau/internal/testpki"
)

// pkitsVector is one of the 249 tests of NIST PKITS (2011). CertPath begins with
// the trust anchor and ends with the certificate that is asked about; certificates
// that sign CRLs may stand between.
type pkitsVector struct {
	Name                        string
	CertPath, CRLPath           []string
	ShouldValidate              bool
	InitialPolicySet            []string
	InitialPolicyMappingInhibit bool
	InitialExplicitPolicy       bool
	InitialAnyPolicyInhibit     bool
}

// TestPKITS runs all of NIST PKITS through a Verifier: the trust anchor as root, the
// other CA certificates as configured intermediates, the CRLs from files,
// revocation required, the certificate named by its subject. What NIST refuses is
// never accepted, and is refused for what the vector is about; what NIST accepts is
// accepted. Vectors of which this cannot be asked stand in pkitsOutside, each with
// the reason; it refuses them all.
func TestPKITS(t *testing.T) {
	suite := loadPKITS(t)
	passed, outside := 0, map[string]int{}
	for _, vector := range suite.vectors {
		t.Run(vector.Name, func(t *testing.T) {
			why, listed := pkitsOutside[vector.Name]
			err := suite.identify(t, &vector)
			switch accepted := err == nil; {
			case accepted && !vector.ShouldValidate:
				t.Error("accepted, and NIST refuses it")
			case accepted && listed:
				t.Error("accepted, as NIST does: it is wrongly listed")
			case listed:
				outside[why]++
			case !accepted && vector.ShouldValidate:
				t.Errorf("refused, and NIST accepts it: %v", err)
			case !accepted && !slices.Contains(pkitsReasons(vector.Name), certs.ReasonOf(err)):
				t.Errorf("refused for another reason than what it is about: %v", err)
			default:
				passed++
			}
		})
	}
	for _, why := range slices.Sorted(maps.Keys(outside)) {
		t.Logf("%3d outside: %s", outside[why], why)
	}
	t.Logf("NIST PKITS: %d vectors, %d in profile and passed, %d outside",
		len(suite.vectors), passed, len(pkitsOutside))
	for name := range pkitsOutside {
		if !slices.ContainsFunc(suite.vectors, func(v pkitsVector) bool { return v.Name == name }) {
			t.Errorf("%q is listed and no vector", name)
		}
	}
}

// Why a vector that NIST accepts is refused, or cannot be asked.
const (
	outsideDSA          = "DSA keys are not admitted"
	outsideDSAInherited = "crypto/x509 does not read a DSA key without parameters"
	outsideNames        = "issuer and subject are compared by DER, as RFC 5280 section 4.1.2.6 has CAs write them"
	outsideCA           = "a CA certificate identifies nobody"
	outsideLength       = "a path has at most five certificates"
	outsideNaming       = "the certificate itself must name a policy of the profile: any policy, a mapped one, or none at all do not"
	outsideEmpty        = "a certificate without a subject identifies nobody"
	outsideRelative     = "crypto/x509 does not read distribution points relative to the CRL's issuer"
	outsideIndirect     = "indirect CRLs are refused"
	outsideSerial       = "crypto/x509 does not read a negative serial number"
	outsideListed       = "a negative number in a CRL stands for the positive one of the same octets too, so that nothing escapes by its sign"
	outsideInputs       = "no profile has initial-policy-mapping-inhibit or initial-any-policy-inhibit by itself"
)

// pkitsOutside lists the vectors outside of the profile, each with the reason.
var pkitsOutside = map[string]string{
	"4.1.4 Valid DSA Signatures Test4": outsideDSA,

	"4.1.5 Valid DSA Parameter Inheritance Test5": outsideDSAInherited,

	"4.3.3 Valid Name Chaining Whitespace Test3":                      outsideNames,
	"4.3.4 Valid Name Chaining Whitespace Test4":                      outsideNames,
	"4.3.5 Valid Name Chaining Capitalization Test5":                  outsideNames,
	"4.3.10 Valid Rollover from PrintableString to UTF8String Test10": outsideNames,
	"4.3.11 Valid UTF8String Case Insensitive Match Test11":           outsideNames,

	"4.6.8 Valid pathLenConstraint Test8":          outsideCA,
	"4.6.14 Valid pathLenConstraint Test14":        outsideCA,
	"4.8.6 Overlapping Policies Test6 (Subpart 1)": outsideCA,
	"4.8.6 Overlapping Policies Test6 (Subpart 2)": outsideCA,
	"4.14.13 Valid onlyContainsCACerts CRL Test13": outsideCA,

	"4.6.13 Valid pathLenConstraint Test13":             outsideLength,
	"4.6.17 Valid Self-Issued pathLenConstraint Test17": outsideLength,
	"4.9.1 Valid RequireExplicitPolicy Test1":           outsideLength,
	"4.9.2 Valid RequireExplicitPolicy Test2":           outsideLength,
	"4.9.4 Valid RequireExplicitPolicy Test4":           outsideLength,
	"4.12.9 Valid Self-Issued inhibitAnyPolicy Test9":   outsideLength,

	"4.8.11 All Certificates AnyPolicy Test11 (Subpart 2)": outsideNaming,
	"4.8.18 User Notice Qualifier Test18 (Subpart 2)":      outsideNaming,
	"4.10.1.1 Valid Policy Mapping Test1 (Subpart 1)":      outsideNaming,
	"4.10.3 Valid Policy Mapping Test3 (Subpart 2)":        outsideNaming,
	"4.10.5 Valid Policy Mapping Test5 (Subpart 1)":        outsideNaming,
	"4.10.6 Valid Policy Mapping Test6 (Subpart 1)":        outsideNaming,
	"4.10.12 Valid Policy Mapping Test12 (Subpart 1)":      outsideNaming,
	"4.10.12 Valid Policy Mapping Test12 (Subpart 2)":      outsideNaming,

	"4.13.14 Valid DN nameConstraints Test14": outsideEmpty,

	"4.14.4 Valid distributionPoint Test4": outsideRelative,
	"4.14.5 Valid distributionPoint Test5": outsideRelative,
	"4.14.29 Valid cRLIssuer Test29":       outsideRelative,

	"4.14.22 Valid IDP with indirectCRL Test22": outsideIndirect,
	"4.14.24 Valid IDP with indirectCRL Test24": outsideIndirect,
	"4.14.25 Valid IDP with indirectCRL Test25": outsideIndirect,
	"4.14.28 Valid cRLIssuer Test28":            outsideIndirect,
	"4.14.30 Valid cRLIssuer Test30":            outsideIndirect,
	"4.14.33 Valid cRLIssuer Test33":            outsideIndirect,

	"4.10.1.3 Valid Policy Mapping Test1 (Subpart 3)": outsideInputs,
	"4.10.2 Invalid Policy Mapping Test2 (Subpart 2)": outsideInputs,
	"4.12.3 inhibitAnyPolicy Test3 (Subpart 2)":       outsideInputs,

	// NIST refuses these too, for what they are about; here it is not asked.
	"4.1.6 Invalid DSA Signature Test6":                   outsideDSA,
	"4.4.14 Valid Negative Serial Number Test14":          outsideListed,
	"4.4.15 Invalid Negative Serial Number Test15":        outsideSerial,
	"4.6.6 Invalid pathLenConstraint Test6":               outsideCA,
	"4.6.10 Invalid pathLenConstraint Test10":             outsideCA,
	"4.6.12 Invalid pathLenConstraint Test12":             outsideCA,
	"4.8.6 Overlapping Policies Test6 (Subpart 3)":        outsideCA,
	"4.8.7 Different Policies Test7":                      outsideCA,
	"4.8.8 Different Policies Test8":                      outsideCA,
	"4.12.10 Invalid Self-Issued inhibitAnyPolicy Test10": outsideCA,
	"4.14.11 Invalid onlyContainsUserCerts CRL Test11":    outsideCA,
	"4.6.11 Invalid pathLenConstraint Test11":             outsideLength,
	"4.14.6 Invalid distributionPoint Test6":              outsideRelative,
}

// pkitsReasons gives the reasons that fit what the section of a vector is about.
func pkitsReasons(name string) []certs.Reason {
	switch section, _, _ := strings.Cut(strings.TrimPrefix(name, "4."), "."); section {
	case "1", "3":
		return []certs.Reason{certs.UntrustedIssuer}
	case "2":
		return []certs.Reason{certs.NotYetValid, certs.Expired}
	case "4", "14", "15":
		return []certs.Reason{certs.Revoked, certs.RevocationUnknown}
	case "5":
		return []certs.Reason{certs.Revoked, certs.RevocationUnknown, certs.UntrustedIssuer}
	case "6", "13":
		return []certs.Reason{certs.ConstraintViolated}
	case "7":
		return []certs.Reason{certs.WrongUsage, certs.RevocationUnknown}
	case "8", "9", "10", "11", "12":
		return []certs.Reason{certs.WrongPolicy}
	case "16":
		return []certs.Reason{certs.UnknownCriticalExtension}
	}
	return nil
}

// pkitsSuite holds the files.
type pkitsSuite struct {
	vectors     []pkitsVector
	directory   string
	certificate map[string][]byte
}

func loadPKITS(t *testing.T) *pkitsSuite {
	shared := os.Getenv("SCEAU_SHARED")
	if shared == "" {
		t.Skip("SCEAU_SHARED does not say where the vectors are")
	}
	s := &pkitsSuite{directory: filepath.Join(shared, "vectors", "nist-pkits"), certificate: map[string][]byte{}}
	text, err := os.ReadFile(filepath.Join(s.directory, "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s.vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range s.vectors {
		for _, name := range v.CertPath {
			if s.certificate[name], err = os.ReadFile(filepath.Join(s.directory, "certs", name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(s.vectors) != 249 {
		t.Errorf("%d vectors, want 249", len(s.vectors))
	}
	return s
}

// authority configures a CA of a vector. Another key under its name that may sign CRLs is
// one to which it delegates them: that is the operator's to say, and NIST's vectors mean it.
func (s *pkitsSuite) authority(v *pkitsVector, i int) *certs.Authority {
	a := &certs.Authority{Certificate: s.certificate[v.CertPath[i]]}
	ca, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		return a // refused with the configuration
	}
	for j, name := range v.CertPath[:len(v.CertPath)-1] {
		other, err := x509.ParseCertificate(s.certificate[name])
		if j != i && err == nil && bytes.Equal(other.RawSubject, ca.RawSubject) && other.KeyUsage&x509.KeyUsageCRLSign != 0 {
			a.CRLSigners = append(a.CRLSigners, other.Raw)
		}
	}
	return a
}

// identify gives how the certificate of a vector is refused, nil when it is
// identified, and otherwise what is wrong with the configuration.
func (s *pkitsSuite) identify(t *testing.T, v *pkitsVector) error {
	last := len(v.CertPath) - 1
	leaf, err := certs.ParseCertificate(s.certificate[v.CertPath[last]])
	if err != nil {
		return err
	}
	p := certs.Profile{
		Name:        v.Name,
		Role:        "pkits",
		Kinds:       []certs.Kind{certs.Service},
		Subjects:    []string{leaf.Subject().String()},
		Roots:       []*certs.Authority{s.authority(v, 0)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for i, name := range v.CertPath[1:last] {
		if !signsOnlyCRLs(s.certificate[name]) {
			p.Intermediates = append(p.Intermediates, s.authority(v, i+1))
		}
	}
	if err := v.policies(&p); err != nil {
		return err
	}
	c := certs.Config{Profiles: []certs.Profile{p}, Now: testpki.Now, Log: quiet()}
	var crls [][]byte
	for _, name := range v.CRLPath {
		crl, err := os.ReadFile(filepath.Join(s.directory, "crls", name))
		if err != nil {
			t.Fatal(err)
		}
		crls = append(crls, crl)
	}
	c.CRL.Files = []string{files(t, crls...)} // a directory: what is wrong with one is told, and does not hide the others
	verifier, err := certs.NewVerifier(c)
	if err != nil {
		return err
	}
	defer verifier.Close()
	_, err = verifier.Identify("pkits", leaf, nil, testpki.Now())
	explain(verifier, "pkits", leaf, nil, err)(t)
	return err
}

// signsOnlyCRLs tells whether a certificate stands in a vector beside the path.
func signsOnlyCRLs(der []byte) bool {
	c, err := certs.ParseCertificate(der)
	return err == nil && !c.X509().IsCA && c.X509().KeyUsage&(x509.KeyUsageCRLSign|x509.KeyUsageCertSign) == x509.KeyUsageCRLSign
}

// policies expresses the initial inputs of a vector in a profile, or says that
// none does. Every policy of this PKI is a NIST test policy, so that to demand
// any policy at all is to demand one of these.
func (v *pkitsVector) policies(p *certs.Profile) error {
	p.ExplicitPolicy = v.InitialExplicitPolicy
	switch any := slices.Contains(v.InitialPolicySet, "anyPolicy"); {
	case v.InitialPolicyMappingInhibit || v.InitialAnyPolicyInhibit:
		return errors.New(outsideInputs)
	case any && !v.InitialExplicitPolicy:
		p.AnyPolicy = true
	case any:
		for n := range 10 {
			p.Policies = append(p.Policies, "2.16.840.1.101.3.2.1.48."+strconv.Itoa(n+1))
		}
	default:
		for _, name := range v.InitialPolicySet {
			p.Policies = append(p.Policies, strings.Replace(name, "NIST-test-policy-", "2.16.840.1.101.3.2.1.48.", 1))
		}
	}
	return nil
}
