package task

import (
	_ "embed"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sceau/internal/minipki"
)

// policyYAML is the rule file of our own service.
//
//go:embed policy.yaml
var policyYAML []byte

// The person of the requests: the number has right check digits and belongs to nobody.
const (
	ssin  = "00000000097"
	nihii = "19999024004"

	doctorBoolean = "urn:be:fgov:person:ssin:doctor:boolean"
	doctorNIHII   = "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"
)

const registryCSV = "subject_type,subject,attribute,value,not_before,not_on_or_after\n" +
	"ssin," + ssin + "," + doctorBoolean + ",true,,\n" +
	"ssin," + ssin + "," + doctorNIHII + "," + nihii + ",,\n"

const factsTSV = doctorBoolean + "\ttrue\n" + doctorNIHII + "\t" + nihii + "\n"

// A set names the kinds of keys of one task.
type set struct {
	clients, sts minipki.KeyKind // clients: the certificates of a request and all authorities
}

func sets() map[string]set {
	return map[string]set{
		"rsa":   {minipki.RSA2048, minipki.RSA2048},
		"p256":  {minipki.P256, minipki.P256},
		"mixed": {minipki.RSA2048, minipki.P256},
	}
}

// Write makes the folder of a task with the set of keys of that name; now is the clock of the
// peers. Certificates are valid for a year.
func Write(dir, name string, now time.Time) error {
	s, ok := sets()[name]
	if !ok {
		return fmt.Errorf("no set of keys %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(sets())), ", "))
	}
	now = now.Truncate(time.Second)
	p, err := newPKI(s, now)
	if err != nil {
		return err
	}
	files, err := p.messages(now)
	if err != nil {
		return err
	}
	files["now"] = []byte(strconv.FormatInt(now.Unix(), 10) + "\n")
	files["facts.tsv"], files["registry.csv"], files["policy.yaml"] = []byte(factsTSV), []byte(registryCSV), policyYAML
	if err := p.files(files, now); err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// files adds authorities, their CRLs and what the STS signs with.
func (p *pki) files(files map[string][]byte, now time.Time) error {
	for name, authority := range p.authorities() {
		files[name+".pem"] = minipki.CertificatePEM(authority.DER())
		crl, err := authority.CRL(minipki.CRL{Number: 1, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.AddDate(1, 0, 0)})
		if err != nil {
			return err
		}
		files[filepath.Join("crl", name+".crl")] = crl
	}
	key, err := minipki.KeyPEM(p.sts.key)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(key)
	files["sts.key"], files["sts.key.der"] = key, block.Bytes
	files["sts.pem"], files["sts.der"] = minipki.CertificatePEM(p.sts.der), p.sts.der
	return nil
}
