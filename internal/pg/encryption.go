package pg

import (
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helsebro/helsebro/internal/apperr"
)

// encrypted refuses a connection to another machine whose string does not say how it is
// protected: PostgreSQL's default, and whatever else is not verify-full, takes anybody's
// certificate or none, while passwords and patients go there. sslmode=disable says that the
// network itself is trusted, as one of containers on one machine is.
func encrypted(c *pgx.ConnConfig) error {
	// A string may name several hosts, and several ways to try each.
	plain, verified := map[string]bool{}, map[string]bool{}
	for _, way := range append([]*pgconn.FallbackConfig{{Host: c.Host, TLSConfig: c.TLSConfig}}, c.Fallbacks...) {
		t := way.TLSConfig
		if onThisMachine(way.Host) {
			continue
		}
		safe := t == nil || !t.InsecureSkipVerify && t.VerifyPeerCertificate == nil && t.ServerName != ""
		plain[way.Host], verified[way.Host] = plain[way.Host] || t == nil, verified[way.Host] || t != nil
		if !safe || plain[way.Host] && verified[way.Host] {
			return apperr.New(apperr.Invalid, "the database at %s is beyond this machine: "+
				"its connection string must say sslmode=verify-full, or sslmode=disable where the network between is trusted", way.Host)
		}
	}
	return nil
}

// onThisMachine tells a unix socket and the loopback from everything else.
func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || ip != nil && ip.IsLoopback()
}
