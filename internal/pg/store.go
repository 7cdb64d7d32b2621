// Package pg is Helsebro's memory: the connection pool, the migrations and every
// SQL statement. It is the only importer of pgx. Sealed columns are sealed and
// opened here, so that no caller can store a patient in clear.
package pg

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/vault"
)

// The advisory locks of the database, each another number.
const (
	// migrateLock is had by the one who migrates.
	migrateLock = 7217001 + iota
	// auditLock is shared by transactions that write to the audit until they end, and is had
	// alone by whoever looks which rows cannot get another before them any more.
	auditLock
	// sealLock is had by the one who seals the audit.
	sealLock
	// retentionLock is had by the one who removes what is old.
	retentionLock
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store reads and writes PostgreSQL. It is safe for concurrent use.
//
// Errors are apperr kinds: not-found, conflict, duplicate, erased, invalid for
// what the caller asked; unavailable when the database is.
type Store struct {
	pool  *pgxpool.Pool
	vault *vault.Vault
	now   func() time.Time
	// synthetic are the test registers whose numbers count as a person's.
	synthetic nationalid.Marks
	// alone bounds how many connections are held by who waits to be alone.
	alone chan struct{}
}

// Open prepares a pool without connecting: the first statement does. A database beyond this
// machine without sslmode=verify-full, or an explicit disable, is apperr.Invalid.
func Open(cfg config.Database, v *vault.Vault) (*Store, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		// The text of a parse error quotes the URL, and so its password.
		return nil, apperr.New(apperr.Invalid, "HELSEBRO_DATABASE_URL is not a PostgreSQL connection string")
	}
	if err := encrypted(pc.ConnConfig); err != nil {
		return nil, err
	}
	pc.MaxConns = cfg.MaxConns
	pc.MinConns = 0
	pc.MaxConnLifetime = time.Hour
	pc.ConnConfig.ConnectTimeout = 5 * time.Second
	pool, err := pgxpool.NewWithConfig(context.Background(), pc)
	if err != nil {
		return nil, apperr.Wrap(apperr.Invalid, err, "the database pool cannot be made")
	}
	synthetic, err := nationalid.ParseMarks(cfg.Synthetic)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &Store{
		pool: pool, vault: v, synthetic: synthetic, alone: make(chan struct{}, max(1, cfg.MaxConns/4)),
		now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	}, nil
}

// At returns the store with another clock, over the same connections: closing one
// closes both. It is for tests and for time travel of the development stack.
func (s *Store) At(clock func() time.Time) *Store {
	moved := *s
	moved.now = func() time.Time { return clock().UTC().Truncate(time.Microsecond) }
	return &moved
}

// Close returns all connections.
func (s *Store) Close() { s.pool.Close() }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return failure(s.pool.Ping(ctx)) }

// Migrate brings the database at url to the newest schema, and grants the roles what they
// may. It is safe to repeat and to run from several processes at once.
func Migrate(ctx context.Context, url string, roles Roles, logger *slog.Logger) error {
	cc, err := pgx.ParseConfig(url)
	if err != nil {
		return apperr.New(apperr.Invalid, "HELSEBRO_DATABASE_URL is not a PostgreSQL connection string")
	}
	if err := encrypted(cc); err != nil {
		return err
	}
	db := stdlib.OpenDB(*cc)
	defer db.Close() //nolint:errcheck // nothing is pending on it
	// Two processes that start together must not both create the first table.
	if _, err := db.ExecContext(ctx, "SELECT 1"); err != nil {
		return failure(err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return failure(err)
	}
	defer conn.Close() //nolint:errcheck // the lock ends with the connection
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", migrateLock); err != nil {
		return failure(err)
	}
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	done, err := provider.Up(ctx)
	if err != nil {
		return apperr.Wrap(apperr.Internal, err, "the schema could not be brought up to date")
	}
	for _, m := range done {
		logger.Info("migrated", "file", m.Source.Path, "took", m.Duration.String())
	}
	return grant(ctx, conn, cc.User, roles, logger)
}

// CheckSchema refuses a database that is older than this program.
func (s *Store) CheckSchema(ctx context.Context) error {
	// Asked for its versions, goose makes the table that they are in.
	var none bool
	if err := s.pool.QueryRow(ctx, "SELECT to_regclass('public.goose_db_version') IS NULL").Scan(&none); err != nil {
		return failure(err)
	}
	if none {
		return apperr.New(apperr.Conflict, "the database has no schema: run `starter migrate` first")
	}
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close() //nolint:errcheck // the pool stays open
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	pending, err := provider.HasPending(ctx)
	if err != nil {
		return failure(err)
	}
	if pending {
		return apperr.New(apperr.Conflict, "the database's schema is older than this program: run `starter migrate` first")
	}
	return nil
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files)
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "the embedded migrations cannot be read")
	}
	return provider, nil
}

// newID makes an opaque id that sorts by time.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// inTx runs fn in one transaction and translates its error.
func (s *Store) inTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return failure(pgx.BeginFunc(ctx, s.pool, fn))
}

// failure translates an error of the driver. Errors that are apperr already pass.
func failure(err error) error {
	if err == nil {
		return nil
	}
	var known *apperr.Error
	if errors.As(err, &known) {
		return known
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, errAgain) {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return apperr.New(apperr.NotFound, "no such thing")
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		switch pe.Code {
		case "22P02", "22021": // invalid text representation, or bytes that are no text: an id that is no uuid
			return apperr.New(apperr.NotFound, "no such thing: the id is not one of ours")
		case "40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03", "25006":
			return apperr.New(apperr.Unavailable, "the database asks to try again (%s)", pe.Code)
		}
		if pe.Code[:2] == "08" || pe.Code[:2] == "53" {
			return apperr.New(apperr.Unavailable, "the database is in trouble (%s)", pe.Code)
		}
		switch pe.Code {
		case "23505": // unique violation
			return apperr.New(apperr.Conflict, "something of that identity exists already (%s)", pe.ConstraintName)
		case "23P01": // exclusion violation
			if words := overlaps[pe.ConstraintName]; words != "" {
				return apperr.New(apperr.Conflict, "%s", words)
			}
		case "23503": // foreign key violation
			return apperr.New(apperr.Invalid, "it refers to something that does not exist (%s)", pe.ConstraintName)
		}
		// The server's detail may quote a row; code and constraint may not.
		return apperr.New(apperr.Internal, "the database refused a statement (%s %s)", pe.Code, pe.ConstraintName)
	}
	var refused *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &refused) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed") {
		return apperr.New(apperr.Unavailable, "the database does not answer")
	}
	return apperr.Wrap(apperr.Internal, err, "a statement could not be understood")
}

// overlaps says what the calendar's exclusion constraints mean.
var overlaps = map[string]string{
	"slot_overlaps":        "the calendar has another slot then",
	"appointment_overlaps": "the calendar is taken then",
}

// notFound replaces "no rows" by a sentence about the thing.
func notFound(err error, format string, args ...any) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return apperr.New(apperr.NotFound, format, args...)
	}
	return err
}
