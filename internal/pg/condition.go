package pg

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/vault"
)

// Address is where the database is, as role@host:port/database.
func (s *Store) Address() string {
	c := s.pool.Config().ConnConfig
	return c.User + "@" + net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
}

// Reach is Ping with the reason in words, for who can do something about it. No reason
// quotes the connection string.
func (s *Store) Reach(ctx context.Context) error {
	err := s.pool.Ping(ctx)
	if err == nil {
		return nil
	}
	var (
		refused  *pgconn.PgError
		name     x509.HostnameError
		unknown  x509.UnknownAuthorityError
		verified *tls.CertificateVerificationError
		dns      *net.DNSError
		network  *net.OpError
	)
	unavailable := func(format string, args ...any) error { return apperr.New(apperr.Unavailable, format, args...) }
	switch {
	case errors.As(err, &refused) && refused.Code[:2] == "28":
		return apperr.New(apperr.Forbidden, "PostgreSQL does not let the role in: the role, its password or pg_hba.conf is another (%s)", refused.Code)
	case errors.As(err, &refused) && refused.Code == "3D000":
		return apperr.New(apperr.NotFound, "PostgreSQL has no database of that name")
	case errors.As(err, &refused):
		return unavailable("PostgreSQL refuses the connection (%s)", refused.Code)
	case errors.As(err, &name), errors.As(err, &unknown), errors.As(err, &verified):
		return unavailable("PostgreSQL's certificate is not one that sslmode=verify-full takes")
	case errors.As(err, &dns):
		return unavailable("the name of PostgreSQL's machine is unknown")
	case errors.As(err, &network) && !network.Timeout():
		return unavailable("PostgreSQL does not answer: %v", network.Err)
	}
	return unavailable("PostgreSQL does not answer")
}

// Now is the database's clock.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now)
	return now.UTC(), failure(err)
}

// SchemaVersion is the version of the database's schema, and that of this program.
func (s *Store) SchemaVersion(ctx context.Context) (database, program int64, err error) {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close() //nolint:errcheck // the pool stays open
	provider, err := newProvider(db)
	if err != nil {
		return 0, 0, err
	}
	database, program, err = provider.GetVersions(ctx)
	return database, program, failure(err)
}

// Rights are what the programs' role may do beyond its own.
type Rights struct {
	Role string
	// Superuser: nothing is kept from it. Owner: it owns tables, or may become who does.
	Superuser, Owner bool
	// Audit are the ways in which it could change the audit, such as "UPDATE on audit".
	Audit []string
	// Notes tells whether it can add to the audit: without that there is no access.
	Notes bool
}

// Rights reads what the programs' role may do.
func (s *Store) Rights(ctx context.Context) (r Rights, err error) {
	err = s.pool.QueryRow(ctx, `SELECT current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
		EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_has_role(current_user, relowner, 'MEMBER')),
		ARRAY(SELECT p || ' on ' || t FROM unnest(ARRAY['audit', 'audit_seal', 'audit_removal']) t, unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) p
			WHERE has_table_privilege(to_regclass('public.' || t), p) OR p = 'UPDATE' AND has_any_column_privilege(to_regclass('public.' || t), p) ORDER BY t, p),
		coalesce(has_table_privilege(to_regclass('public.audit'), 'INSERT'), false)`).Scan(&r.Role, &r.Superuser, &r.Owner, &r.Audit, &r.Notes)
	return r, failure(err)
}

// Sealed is how far the audit is sealed.
type Sealed struct {
	// Seal is the number of the newest seal, 0 when there is none, and At when it was made.
	Seal int64
	At   time.Time
	// Rows are not sealed yet; Oldest is the age of the first of them.
	Rows   int64
	Oldest time.Duration
}

// Sealed reads how far the audit is sealed.
func (s *Store) Sealed(ctx context.Context) (Sealed, error) {
	var (
		r      Sealed
		at     *time.Time
		oldest *time.Time
	)
	err := s.pool.QueryRow(ctx, `WITH last AS (SELECT number, until_id, sealed_at FROM audit_seal ORDER BY number DESC LIMIT 1)
		SELECT coalesce((SELECT number FROM last), 0), (SELECT sealed_at FROM last), count(*), min(at)
		FROM audit WHERE id > coalesce((SELECT until_id FROM last), -9223372036854775808)`).Scan(&r.Seal, &at, &r.Rows, &oldest)
	if err != nil {
		return r, failure(err)
	}
	if at != nil {
		r.At = at.UTC()
	}
	if oldest != nil {
		r.Oldest = max(s.now().Sub(*oldest), 0)
	}
	return r, nil
}

// CheckKeys opens the newest data key of each key-encryption key that is in use, and so says
// whether the ring is the one that the database was written with. It returns how many
// key-encryption keys are.
func (s *Store) CheckKeys(ctx context.Context) (int, error) {
	rows, err := s.pool.Query(ctx, "SELECT DISTINCT ON (kek) kek, wrapped FROM data_key ORDER BY kek, created_at DESC")
	if err != nil {
		return 0, failure(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[vault.Wrapped])
	if err != nil {
		return 0, failure(err)
	}
	for _, w := range all {
		if _, err := s.vault.Unwrap(w); err != nil {
			return 0, fmt.Errorf("of %d in use: %w", len(all), err)
		}
	}
	return len(all), nil
}
