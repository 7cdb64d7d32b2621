package helseid

import "time"

// SetClock makes the client's time another.
func (c *Client) SetClock(now func() time.Time) { c.now = now }
