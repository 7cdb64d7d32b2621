package temporalserver

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
)

// DatabaseBytes writes what is only in the write-ahead log into the file, and returns
// how many bytes of the file are in use: pages that are free again do not count.
func (s *Server) DatabaseBytes(ctx context.Context) (n int64, err error) {
	// The server's own plugin has registered the driver.
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: s.cfg.SQLiteFile}).EscapedPath())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var busy, logged, written int64
	if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &logged, &written); err != nil {
		return 0, err
	}
	var pages, free, size int64
	for pragma, into := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &size} {
		if err := db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(into); err != nil {
			return 0, err
		}
	}
	return (pages - free) * size, nil
}
