// Package report shows what a load run measured: as a summary for a terminal (Text), for machines (JSON, and Read to
// have it back) and as one self-contained page with plots (HTML). It computes no measurement and judges nothing anew: it
// shows package measure's figures, and says where they are not to be trusted.
//
// All three take a finished [measure.Report], leave it as it is, and may run at once.
//
// # Honesty
//
// A figure that was not measured is a dash, never a zero. A percentile beyond which fewer than ten answers lie carries
// "≈": it is one or two answers, not a property of the server. Latency is that of right answers alone; where others had no
// right answer, a caution says so, because their waiting is missing from the percentiles. Wrong answers fail the report even when no
// expectation of the scenario asked for them.
//
// # Text from outside
//
// Codes, causes and beginnings of answers come from the server under test, which may be anybody's. Before anything is
// laid out, every text is made printable (no control characters, no marks that turn the direction of writing, bounded
// length) and every number that is not finite becomes "not measured". The page is made by html/template
// throughout, holds no script, loads nothing, and says so in its Content-Security-Policy.
package report
