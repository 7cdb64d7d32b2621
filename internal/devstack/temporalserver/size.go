package temporalserver

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
)

// DatabaseBytes is how many bytes of the database are in use, what is only in its
// write-ahead log included: pages that are free again do not count.
func (s *Server) DatabaseBytes(ctx context.Context) (n int64, err error) {
	// The server's own plugin has registered the driver.
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: s.cfg.SQLiteFile}).EscapedPath())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var pages, free, size int64
	for pragma, into := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &size} {
		if err := db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(into); err != nil {
			return 0, err
		}
	}
	return (pages - free) * size, nil
}
