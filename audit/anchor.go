package audit

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// An Anchor is the place and the hash of one record. Noted where whoever can write the
// journal cannot, it shows that the journal up to there is what it was.
type Anchor struct {
	Journal ID
	Seq     uint64
	Hash    [32]byte
}

const anchorPrefix = "sceau-audit-1"

// String gives the text that ParseAnchor reads: "sceau-audit-1:<journal>:<seq>:<hash>".
func (a Anchor) String() string {
	return anchorPrefix + ":" + a.Journal.String() + ":" + strconv.FormatUint(a.Seq, 10) + ":" + hex.EncodeToString(a.Hash[:])
}

// ParseAnchor reads the text of an Anchor. Its error has Reason Malformed.
func ParseAnchor(text string) (Anchor, error) {
	var a Anchor
	parts := strings.Split(text, ":")
	if len(parts) != 4 || parts[0] != anchorPrefix || !decodeHex(a.Journal[:], parts[1]) || !decodeHex(a.Hash[:], parts[3]) {
		return Anchor{}, &Error{Reason: Malformed, Err: errText("an anchor is " + anchorPrefix + ":<journal>:<number>:<hash>")}
	}
	seq, ok := parseNumber([]byte(parts[2]))
	if !ok || seq == 0 {
		return Anchor{}, &Error{Reason: Malformed, Err: errText("the number of an anchor counts from 1")}
	}
	a.Seq = seq
	return a, nil
}
