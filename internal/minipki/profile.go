package minipki

import (
	"crypto/x509"
	"net"
	"time"
)

// CA is the template of a certification authority: keyCertSign and cRLSign, no path length.
func CA(subject Name, notBefore, notAfter time.Time) Template {
	return Template{
		Subject:    subject,
		NotBefore:  notBefore,
		NotAfter:   notAfter,
		IsCA:       true,
		PathLength: -1,
		KeyUsage:   x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// Person is a card holder.
type Person struct{ GivenNames, Surname, SSIN string }

// EID is the template of a Belgian eID authentication certificate, as section 6.1
// of the wire document describes it: serialNumber is the SSIN.
func EID(p Person) Template {
	return Template{
		Subject: DN("C", "BE", "CN", p.GivenNames+" "+p.Surname+" (Authentication)",
			"SN", p.Surname, "GN", p.GivenNames, "serialNumber", p.SSIN),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []string{ClientAuth},
		Policies:    []string{PolicyCitizenAuthCA4},
	}
}

// Holder is who holds an eHealth certificate.
type Holder struct {
	Type, Value string // "SSIN", "CBE", "NIHII-HOSPITAL", …, and its number
	Name        string
	Application string // an application identifier, or empty
}

// EHealth is the template of an eHealth certificate, as section 6.2 of the wire
// document describes it; with an Application it has the extra first OU and the
// longer CN.
func EHealth(h Holder) Template {
	id := h.Type + "=" + h.Value
	subject := DN("C", "BE", "O", "Federal Government")
	cn := id
	if h.Application != "" {
		subject = append(subject, DN("OU", h.Application)...)
		cn += ", " + h.Application
	}
	return Template{
		Subject: append(subject, DN("OU", id, "OU", h.Name, "OU", "eHealth-platform Belgium", "CN", cn)...),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment |
			x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []string{ClientAuth, EmailProtection},
	}
}

// TLSServer is the template of a server certificate for host names and addresses.
func TLSServer(hosts ...string) Template {
	t := Template{
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []string{ServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, host)
		}
	}
	if len(hosts) > 0 {
		t.Subject = DN("CN", hosts[0])
	}
	return t
}
