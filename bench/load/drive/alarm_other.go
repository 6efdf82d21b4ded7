//go:build !linux

package drive

import "context"

const alarmFiles = 0

func newAlarm(ctx context.Context) (alarm, error) { return newRuntimeAlarm(ctx) }
