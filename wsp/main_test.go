package wsp_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain: a Guard that is closed leaves nothing running.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
