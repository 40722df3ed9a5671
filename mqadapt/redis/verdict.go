package redis

import (
	"fmt"
	"strings"

	"github.com/alphapulse/transport/mqadapt"
)

// verdict is what an error of one XADD means. final: no other would fare better, the producer ends.
func (q *Queue) verdict(err error) (o mqadapt.Outcome, final bool) {
	if !answered(err) {
		return mqadapt.Outcome{Why: q.fault(err)}, true
	}
	o = mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: q.fault(err)}
	word, _, _ := strings.Cut(err.Error(), " ")
	switch word {
	case "OOM":
		o.Why = q.fault(fmt.Errorf("%w: the server's maxmemory: groups that acknowledge make room, or CONFIG SET maxmemory: %w", mqadapt.ErrFull, err))
	case "MISCONF":
		o.Why = q.fault(fmt.Errorf("%w: the server cannot write its files: make room on its disk: %w", mqadapt.ErrFull, err))
	case "LOADING", "BUSY", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN":
	default: // WRONGTYPE, READONLY, NOPERM, NOAUTH, MOVED, and what nobody knows
		return o, true
	}
	return o, false
}
