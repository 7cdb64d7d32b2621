package pg

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Page is a stretch of a list.
type Page[T any] struct {
	Items []T
	// Next is where the next page begins, "" after the last.
	Next string
}

// cursor is where a page begins: after the row with this sort key. To callers it is a word
// without meaning; it names nobody.
type cursor struct {
	// Sort is the order that it belongs to.
	Sort string    `json:"s"`
	Last bool      `json:"l,omitempty"`
	At   time.Time `json:"a"`
	ID   string    `json:"i"`
}

func (c cursor) String() string {
	b, _ := json.Marshal(c) // plain data with an instant of the database: it cannot fail
	return base64.RawURLEncoding.EncodeToString(b)
}

// readCursor reads the cursor of a list in that order; nil for the first page.
func readCursor(s, sort string) (*cursor, error) {
	if s == "" {
		return nil, nil
	}
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.Sort != sort || c.ID == "" || c.At.IsZero() || c.At.Year() < 0 || c.At.Year() > 9999 {
		return nil, apperr.InvalidFields("the list cannot go on there", apperr.Field{Path: "cursor", Rule: "the nextCursor of the page before, with the same sort"})
	}
	return &c, nil
}

// page cuts what was read with one row too many.
func page[T any](rows []T, limit int, at func(T) cursor) Page[T] {
	if len(rows) <= limit {
		return Page[T]{Items: rows}
	}
	return Page[T]{Items: rows[:limit], Next: at(rows[limit-1]).String()}
}
