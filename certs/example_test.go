package certs_test

import (
	"fmt"

	"sceau/certs"
	"sceau/internal/testpki"
)

// A Verifier for eHealth certificates as holders, under one issuing CA.
func ExampleVerifier_Identify() {
	pki := testpki.Load()
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots = []*certs.Authority{{
		Certificate: pki.EHealthCA.DER(),
		Revocation:  certs.Revocation{Mode: certs.Off}, // an example has no CRL; the zero value requires one
	}}
	v, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{holder}, Log: quiet()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer v.Close()

	leaf, err := v.Parse(pki.Hospital.DER)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := v.Identify(certs.RoleHolder, leaf, nil, testpki.Now())
	kind, number := id.Identifier()
	fmt.Println(id.Kind(), kind, number, err)

	_, err = v.Identify(certs.RoleIdentity, leaf, nil, testpki.Now())
	fmt.Println(certs.ReasonOf(err))
	// Output:
	// ehealth-organisation NIHII-HOSPITAL 71999041 <nil>
	// no profile serves the role
}

// Names are compared as names: the order, the keywords and the quotes of the writer do not matter.
func ExampleParseName() {
	java, _ := certs.ParseName([]byte(`OID.2.5.4.5=001, CN="TEST eHealth, issuing CA", C=BE`))
	openssl, _ := certs.ParseName([]byte(`C=be,CN=test ehealth\, issuing ca,serialNumber=001`))
	fmt.Println(java.Equal(openssl))
	fmt.Println(java)
	// Output:
	// true
	// SERIALNUMBER=001, CN="TEST eHealth, issuing CA", C=BE
}
