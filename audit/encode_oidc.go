package audit

import (
	"crypto/sha256"
	"encoding/hex"
)

// appendOIDC appends the members that only events of ServiceOIDC have.
func appendOIDC(dst []byte, e *Event, p *pseudonymizer) []byte {
	dst = appendMember(dst, `,"establishment":`, e.Establishment, maxWord)
	if e.Attempt != "" {
		dst = appendHashed(append(dst, `,"attempt":"`...), e.Attempt, p)
	}
	dst = appendMember(dst, `,"session":`, e.Session, maxWord)
	if e.Authentication != (ID{}) {
		dst = append(dst, `,"authentication":"`...)
		dst = append(e.Authentication.Append(dst), '"')
	}
	dst = appendMember(dst, `,"means":`, e.Means, maxWord)
	dst = appendTexts(dst, `,"amr":[`, e.Methods, maxMethods)
	dst = appendMember(dst, `,"acr":`, e.ACR, maxWord)
	if !e.AuthTime.IsZero() {
		dst = append(dst, `,"authTime":"`...)
		dst = append(appendTime(dst, e.AuthTime), '"')
	}
	if e.Credential != "" {
		pseudonym := p.of(Identifier{Type: CredentialType, Value: e.Credential})
		dst = append(dst, `,"credential":"`...)
		dst = append(hex.AppendEncode(dst, pseudonym[:]), '"')
	}
	dst = appendMember(dst, `,"grant":`, e.Grant, maxWord)
	start := len(dst)
	dst = appendMember(dst, `,"scope":`, e.Scope, maxCause)
	maskNumbers(dst[start:]) // a scope of a resource may name a patient
	dst = appendTokens(dst, e.Tokens, p)
	return p.sealer.append(dst, e)
}

func appendTokens(dst []byte, tokens []Token, p *pseudonymizer) []byte {
	kept := 0
	for i := range tokens {
		t := &tokens[i]
		if t.Use.String() == "" || kept == maxTokens {
			continue
		}
		if kept++; kept == 1 {
			dst = append(dst, `,"tokens":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"use":"`...)
		dst = append(dst, t.Use.String()...)
		dst = append(dst, '"')
		dst = appendMember(dst, `,"kind":`, t.Kind, maxWord)
		dst = appendMember(dst, `,"id":`, t.ID, maxName)
		if t.Value != "" {
			dst = appendHashed(append(dst, `,"digest":"`...), t.Value, p)
		}
		dst = appendMember(dst, `,"issuer":`, t.Issuer, maxName)
		if !t.Expires.IsZero() {
			dst = append(dst, `,"expires":"`...)
			dst = append(appendTime(dst, t.Expires), '"')
		}
		dst = append(dst, '}')
	}
	if kept > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// appendHashed appends the SHA-256 of a secret, in hex, and the closing quote.
func appendHashed(dst []byte, secret string, p *pseudonymizer) []byte {
	p.text = append(p.text[:0], secret...)
	sum := sha256.Sum256(p.text)
	p.text = p.text[:0] // it is no identifier that of remembers
	return append(hex.AppendEncode(dst, sum[:]), '"')
}

// digestOf gives what a record keeps of a secret.
func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
