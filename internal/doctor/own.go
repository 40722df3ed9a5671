package doctor

import (
	"os"
	"runtime"
)

// readOwn reads what this program was built and started with.
func readOwn() own {
	return own{version: runtime.Version(), maxProcs: runtime.GOMAXPROCS(0), race: buildSetting("-race") == "true", debug: os.Getenv("GODEBUG"),
		gc: os.Getenv("GOGC"), memory: os.Getenv("GOMEMLIMIT"), profileOpt: buildSetting("-pgo") != ""}
}
