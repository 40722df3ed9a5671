package ring

import (
	"os/exec"
	"syscall"
)

func init() {
	confine = func(cmd *exec.Cmd, apart bool) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if apart {
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
		}
	}
}
