package process

import "syscall"

// dieWithParent makes the kernel kill the process when the test dies.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
