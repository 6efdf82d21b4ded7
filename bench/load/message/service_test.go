package message

import (
	"testing"
	"time"

	"sceau/bench/load/measure"
)

// TestEveryKind: the project's service answers every kind of message, of every form of
// consumer, in the way that the Checker calls right, with either of its keys.
func TestEveryKind(t *testing.T) {
	for _, key := range []KeyType{RSA2048, P256} {
		t.Run(string(key), func(t *testing.T) {
			ring := NewRing(64, 30*time.Second)
			maker := newMaker(t, MakerConfig{Mix: everything(), Seed: 1, Cold: 2, Replay: ring})
			checker := newChecker(t, CheckerConfig{Sample: 1, Replay: ring})
			s := service(t, testPKI(t), key, time.Now)
			seen := map[measure.Kind]int{}
			for range 150 {
				var shot measure.Shot
				fatal(t, maker.Next(time.Now(), &shot))
				status, answer := ask(s, &shot)
				verdict := checker.Check(&shot, status, answer)
				if verdict.Class != measure.Right {
					t.Fatalf("%s: %+v\n%s", shot.Kind, verdict, answer)
				}
				if good := shot.Kind == measure.Query || shot.Kind == measure.ColdCertificate; verdict.Verified != good {
					t.Errorf("%s: verified: %t", shot.Kind, verdict.Verified)
				}
				seen[shot.Kind]++
			}
			for _, kind := range measure.Kinds() {
				if seen[kind] < 5 {
					t.Errorf("%s: only %d", kind, seen[kind])
				}
			}
		})
	}
}
