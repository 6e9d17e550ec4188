package chromium

import (
	"os"
	"syscall"
)

// ownGroup puts the browser and its children into a group of their own, which
// ends when the test dies.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func endGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
