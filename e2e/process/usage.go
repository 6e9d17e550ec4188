package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Descriptors returns how many file descriptors the process has open. It needs
// Linux's /proc.
func (j *Jay) Descriptors() (int, error) {
	d, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", j.PID()))
	return len(d), err
}

// Memory returns the process's resident bytes, now and at their highest. It
// needs Linux's /proc.
func (j *Jay) Memory() (now, peak int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", j.PID()))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			now = kib << 10
		case "VmHWM":
			peak = kib << 10
		}
	}
	return now, peak, nil
}
