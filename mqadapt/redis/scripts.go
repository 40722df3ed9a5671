package redis

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// member is the name under which a group's entries are given out, to whoever has the lease: what one member left behind is then the next one's
// own history, in order.
const member = "pulse"

// The lease is a hash: who has it, and until when by the server's clock. It has no expiry: one that ran out and that nobody took is still its
// owner's. Each script has the keys stream and lease, and the arguments token and milliseconds of the lease first.
const leaseText = `
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local owner, till = unpack(redis.call('HMGET', KEYS[2], 'owner', 'until'))
`

// begin takes the lease if nobody has it: 1, or 0.
const beginText = `
if owner and owner ~= '' and owner ~= ARGV[1] and tonumber(till) > now then return 0 end
redis.call('HSET', KEYS[2], 'owner', ARGV[1], 'until', string.format('%.0f', now + ARGV[2]))
return 1
`

// read gives the next entries to who has the lease, and nothing to anybody else: {0}, or {1, entries or 0, added, length, first id}; the last
// three are asked for, and only come with entries. Arguments: group, member, after which id or ">", how many, and 1 to ask.
const readText = `
if owner ~= ARGV[1] then return {0} end
if tonumber(till) < now + ARGV[2] * 3 / 4 then
	redis.pcall('HSET', KEYS[2], 'until', string.format('%.0f', now + ARGV[2])) -- where that is refused for want of memory, nobody else can take it either
end
local r = redis.call('XREADGROUP', 'GROUP', ARGV[3], ARGV[4], 'COUNT', ARGV[6], 'STREAMS', KEYS[1], ARGV[5])
if not r or #r == 0 then return {1, 0} end
if ARGV[7] ~= '1' then return {1, r[1][2]} end
local info, facts = redis.call('XINFO', 'STREAM', KEYS[1]), {}
for i = 1, #info, 2 do facts[info[i]] = info[i + 1] end
local first = ''
if type(facts['first-entry']) == 'table' then first = facts['first-entry'][1] end
return {1, r[1][2], facts['entries-added'] or 0, facts['length'], first}
`

// release gives the lease back, if it is still ours.
const releaseText = `
if owner == ARGV[1] then redis.call('HSET', KEYS[2], 'owner', '', 'until', '0') end
return 1
`

// scripts are those of one queue.
type scripts struct{ begin, read, release, backlog *redis.Script }

// newScripts makes them for a server. A group must be read when the server has no memory left, or it never has any again: since Redis 7 a
// script may say that it writes then.
func newScripts(s server) scripts {
	head, looks := "", ""
	if s.version[0] >= 7 {
		head, looks = "#!lua flags=allow-oom", "#!lua flags=no-writes"
	}
	script := func(text string) *redis.Script { return redis.NewScript(head + leaseText + text) }
	return scripts{script(beginText), script(readText), script(releaseText), redis.NewScript(looks + backlogText)}
}

// silent drops what the client library would write to standard error: every error is returned, too.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(silent{}) }
