package redis

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// trim removes what every group has acknowledged. Without a group nobody has.
func (q *Queue) trim(ctx context.Context, c *redis.Client) error {
	groups, err := c.XInfoGroups(ctx, q.options.Stream).Result()
	if err != nil || len(groups) == 0 {
		return err
	}
	var needed id
	for n, g := range groups {
		last, err := parseID(g.LastDeliveredID)
		if err != nil {
			return err
		}
		first := last.next()
		if g.Pending > 0 {
			p, err := c.XPending(ctx, q.options.Stream, g.Name).Result()
			if err != nil {
				return err
			}
			if p.Count > 0 {
				if first, err = parseID(p.Lower); err != nil {
					return err
				}
			}
		}
		if n == 0 || first.before(needed) {
			needed = first
		}
	}
	return c.XTrimMinID(ctx, q.options.Stream, needed.String()).Err()
}
