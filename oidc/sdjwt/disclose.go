package sdjwt

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"sceau/oidc/internal/strictjson"
)

// fixed are the claims that decide about the credential itself, and that the issuer must not leave to the holder (SD-JWT VC 2.2.2.2): who
// could leave out exp or status would present what has ended.
var fixed = []string{"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status", "aud", "_sd_alg"}

// A disclosure is what the holder shows of what the issuer signed the digest of (RFC 9901, 4.2).
type disclosure struct {
	name  string // empty: of an array element
	value any
	used  bool
}

// discloser puts disclosures into their places, each once.
type discloser struct {
	by   map[string]*disclosure
	seen map[string]bool // digests in the payload and in disclosures
}

// disclose makes the claims of a credential out of its payload and disclosures (RFC 9901, 7.1): every disclosure is in its place, and
// nothing that speaks of disclosures is left.
func disclose(payload map[string]any, encoded []string) (map[string]any, error) {
	if alg, there := payload["_sd_alg"]; there && alg != "sha-256" {
		return nil, refuse(BadAlgorithm, "digests that are not sha-256")
	}
	d := discloser{by: map[string]*disclosure{}, seen: map[string]bool{}}
	for _, text := range encoded {
		one, err := readDisclosure(text)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256([]byte(text))
		digest := base64.RawURLEncoding.EncodeToString(sum[:])
		if d.by[digest] != nil {
			return nil, refuse(BadDisclosure, "one twice")
		}
		d.by[digest] = one
	}
	claims, err := d.object(payload, true)
	if err != nil {
		return nil, err
	}
	for _, one := range d.by {
		if !one.used {
			return nil, refuse(BadDisclosure, "one that the issuer did not sign")
		}
	}
	return claims, nil
}

func readDisclosure(text string) (*disclosure, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, refuse(BadDisclosure, "not base64url")
	}
	v, err := strictjson.Value(data)
	if err != nil {
		return nil, refuse(BadDisclosure, "%w", err)
	}
	a, _ := v.([]any)
	if len(a) != 2 && len(a) != 3 {
		return nil, refuse(BadDisclosure, "neither a claim nor an element")
	}
	if _, ok := a[0].(string); !ok {
		return nil, refuse(BadDisclosure, "no salt")
	}
	if len(a) == 2 {
		return &disclosure{value: a[1]}, nil
	}
	name, ok := a[1].(string)
	if !ok || name == "" || name == "_sd" || name == "..." {
		return nil, refuse(BadDisclosure, "a claim of no name, or of a name that is none")
	}
	return &disclosure{name: name, value: a[2]}, nil
}

// take is the disclosure of a digest, or nil where the holder shows none. A digest stands in one place only.
func (d *discloser) take(digest any) (*disclosure, error) {
	text, ok := digest.(string)
	if !ok {
		return nil, refuse(BadDisclosure, "a digest that is no string")
	}
	if d.seen[text] {
		return nil, refuse(BadDisclosure, "one digest in two places")
	}
	d.seen[text] = true
	one := d.by[text]
	if one != nil {
		one.used = true
	}
	return one, nil
}

func (d *discloser) value(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		return d.object(v, false)
	case []any:
		return d.array(v)
	}
	return v, nil
}

func (d *discloser) object(o map[string]any, top bool) (map[string]any, error) {
	out := make(map[string]any, len(o))
	for name, v := range o {
		switch {
		case name == "_sd" || name == "_sd_alg" && top:
			continue
		case name == "_sd_alg" || name == "...": // 4.1.1, 4.2.4.2: elsewhere they mean something that they do not say
			return nil, refuse(BadDisclosure, "%s where it may not be", name)
		}
		made, err := d.value(v)
		if err != nil {
			return nil, err
		}
		out[name] = made
	}
	digests, there := o["_sd"]
	list, ok := digests.([]any)
	if there && !ok {
		return nil, refuse(BadDisclosure, "_sd is no array")
	}
	for _, digest := range list {
		one, err := d.take(digest)
		if err != nil {
			return nil, err
		}
		if one == nil {
			continue
		}
		if one.name == "" {
			return nil, refuse(BadDisclosure, "an element as a claim")
		}
		if _, there := out[one.name]; there || top && slices.Contains(fixed, one.name) {
			return nil, refuse(BadDisclosure, "a claim over another, or over one that decides")
		}
		if out[one.name], err = d.value(one.value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (d *discloser) array(a []any) ([]any, error) {
	out := make([]any, 0, len(a))
	for _, v := range a {
		if o, ok := v.(map[string]any); ok {
			if digest, there := o["..."]; there {
				if len(o) != 1 {
					return nil, refuse(BadDisclosure, "an element beside its digest")
				}
				one, err := d.take(digest)
				if err != nil {
					return nil, err
				}
				if one == nil {
					continue
				}
				if one.name != "" {
					return nil, refuse(BadDisclosure, "a claim as an element")
				}
				v = one.value
			}
		}
		made, err := d.value(v)
		if err != nil {
			return nil, err
		}
		out = append(out, made)
	}
	return out, nil
}
