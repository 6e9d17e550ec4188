//go:build !linux

package chromium

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

func endGroup(p *os.Process) { _ = p.Kill() }
