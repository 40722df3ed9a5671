package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/alphapulse/transport/mqadapt"
)

// How a stream is found empty for a group.
//
// The server's own word, the lag in XINFO GROUPS, is nil after entries were deleted, and older servers have none. Two facts are always exact:
// whether there is an entry behind the last that the group was given, and how many of those it was given are not acknowledged. None of either
// is a backlog of 0. One script asks both at one instant, or an entry could go from the first to the second between two questions.

// backlogText gives {whether there is a stream, backlog}. Argument: the group. A group that was never there has acknowledged nothing. Where
// the server does not say how many entries wait, it is the stream's length at most.
const backlogText = `
if redis.call('EXISTS', KEYS[1]) == 0 then return {0, 0} end
for _, one in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
	local g = {}
	for i = 1, #one, 2 do g[one[i]] = one[i + 1] end
	if g['name'] == ARGV[1] then
		local waits = #redis.call('XRANGE', KEYS[1], '(' .. g['last-delivered-id'], '+', 'COUNT', 1)
		if waits > 0 then waits = math.max(1, tonumber(g['lag'] or redis.call('XLEN', KEYS[1]))) end
		return {1, g['pending'] + waits}
	end
end
return {1, redis.call('XLEN', KEYS[1])}
`

var _ mqadapt.Backlogged = (*Queue)(nil)

// asker is the connection that backlogs are asked through. It belongs to the queue.
type asker struct{ *redis.Client }

// Backlog returns about how many entries a group has not acknowledged; 0 is exact. It waits for the server at most Options.Patience. A stream
// that this queue has put something into and that is gone is an error.
func (q *Queue) Backlog(group string) (entries uint64, err error) {
	a, err := q.asker()
	if err != nil {
		return 0, err
	}
	reply, err := q.scripts.backlog.Run(context.Background(), a, []string{q.options.Stream}, group).Int64Slice()
	switch {
	case err != nil:
		return 0, q.fault(fmt.Errorf("backlog of group %s: %w", group, err))
	case len(reply) != 2 || reply[1] < 0:
		return 0, q.fault(fmt.Errorf("backlog of group %s: an answer of %d", group, reply))
	case reply[0] == 0 && q.accepted.Load():
		return 0, q.fault(fmt.Errorf("the stream was deleted, and what group %s had not taken is gone: begin anew to go on without it", group))
	}
	return uint64(reply[1]), nil
}

// asker connects when it is asked first.
func (q *Queue) asker() (*asker, error) {
	q.asking.Lock()
	defer q.asking.Unlock()
	if q.asks != nil {
		return q.asks, nil
	}
	c, err := q.connect()
	if err != nil {
		return nil, err
	}
	a := &asker{c}
	if err := q.adopt(a); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	q.asks = a
	return a, nil
}
