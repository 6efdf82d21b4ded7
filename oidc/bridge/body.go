package bridge

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// appendBody appends the claims of a token as one JSON object, octet by octet as encoding/json writes it: each exchange has one. Further
// claims come last, by name. None takes the name of one that says what the token is.
func appendBody(dst []byte, t *Token) ([]byte, error) {
	dst = appendText(append(dst, `{"iss":`...), t.Issuer)
	dst = appendText(append(dst, `,"sub":`...), t.Subject)
	if len(t.Audience) > 0 {
		dst = appendTexts(append(dst, `,"aud":`...), t.Audience)
	}
	dst = strconv.AppendInt(append(dst, `,"exp":`...), t.Expires.Unix(), 10)
	dst = appendTime(dst, `,"nbf":`, t.NotBefore)
	dst = strconv.AppendInt(append(dst, `,"iat":`...), t.IssuedAt.Unix(), 10)
	dst = appendText(append(dst, `,"jti":`...), t.ID)
	if t.Type == IDToken { // OIDC Core 2: to whom it was issued is azp
		dst = appendSome(dst, `,"azp":`, t.ClientID)
	} else {
		dst = appendSome(dst, `,"client_id":`, t.ClientID)
		dst = appendSome(dst, `,"scope":`, strings.Join(t.Scope, " "))
	}
	dst = appendTime(dst, `,"auth_time":`, t.AuthTime)
	if len(t.Methods) > 0 {
		dst = appendTexts(append(dst, `,"amr":`...), t.Methods)
	}
	dst = appendSome(dst, `,"acr":`, t.Level)
	dst = append(appendText(append(dst, `,"cnf":{"x5t#S256":`...), t.Confirmation), '}')
	dst = appendActor(dst, `,"act":`, t.Actor)
	dst = appendActor(dst, `,"may_act":`, t.MayAct)
	names := make([]string, 0, 16)
	for name := range t.Claims {
		if slices.Contains(reserved, name) {
			return nil, errors.New("a claim that says what a token is")
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		dst = append(appendText(append(dst, ','), name), ':')
		var err error
		if dst, err = appendValue(dst, t.Claims[name]); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// appendValue appends the value of a claim. What is no text is left to encoding/json.
func appendValue(dst []byte, value any) ([]byte, error) {
	if text, ok := value.(string); ok {
		return appendText(dst, text), nil
	}
	octets, err := json.Marshal(value)
	return append(dst, octets...), err
}

// appendText appends a JSON string. What may want an escape is left to encoding/json.
func appendText(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // no string is refused
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}

// appendSome appends a member that is left out when it is empty.
func appendSome(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return appendText(append(dst, name...), text)
}

func appendTexts(dst []byte, texts []string) []byte {
	dst = append(dst, '[')
	for i, text := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, text)
	}
	return append(dst, ']')
}

// appendTime appends a NumericDate; of the zero time there is none.
func appendTime(dst []byte, name string, at time.Time) []byte {
	if at.IsZero() || at.Unix() == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, name...), at.Unix(), 10)
}

func appendActor(dst []byte, name string, a *Actor) []byte {
	if a == nil {
		return dst
	}
	dst = appendText(append(append(dst, name...), `{"sub":`...), a.Subject)
	dst = appendSome(dst, `,"iss":`, a.Issuer)
	return append(appendActor(dst, `,"act":`, a.Actor), '}')
}
