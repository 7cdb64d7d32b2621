package pg

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Roles are PostgreSQL's roles beside the owner, who migrates. Each exists already: to make
// roles is a right that nothing of Helsebro needs.
type Roles struct {
	// App is who the programs are. It reads and writes, and only adds to the audit; "", or
	// the owner, is a database without that protection.
	App string
	// Reader reads, such as for reports and backups: what is sealed stays sealed. "" is none.
	Reader string
}

// RoleOf is the role of a connection string, or apperr.Invalid.
func RoleOf(url string) (string, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return "", apperr.New(apperr.Invalid, "HELSEBRO_DATABASE_URL is not a PostgreSQL connection string")
	}
	return c.User, nil
}

// removable are the tables that the programs remove rows of. Of all others none is ever
// removed by them.
var removable = []string{
	"activation_command", "appointment", "appointment_command", "attachment", "contact", "data_key", "dialogue", "dialogue_command",
	"notice_preference", "offered_service", "outbound_message", "prescription_item", "reading", "representation", "slot", "staff_group_member",
}

// grant gives the roles what they may, and takes from them what they may not. What a
// migration adds, it gives anew.
func grant(ctx context.Context, db *sql.Conn, owner string, roles Roles, logger *slog.Logger) error {
	var all []string
	if roles.App == "" || roles.App == owner {
		logger.Warn("the programs own their tables: the audit is not kept from them; give HELSEBRO_OWNER_DATABASE_URL another role", "role", owner)
	} else {
		app := pgx.Identifier{roles.App}.Sanitize()
		all = append(all,
			"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "+app,
			"REVOKE ALL ON SCHEMA public FROM "+app, "GRANT USAGE ON SCHEMA public TO "+app,
			"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO "+app,
			"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "+app,
			"GRANT DELETE ON "+strings.Join(removable, ", ")+" TO "+app,
			"REVOKE UPDATE ON audit, audit_seal, audit_removal FROM "+app,
			"REVOKE INSERT ON audit_removal FROM "+app,
			"REVOKE INSERT, UPDATE ON goose_db_version FROM "+app,
			"GRANT EXECUTE ON FUNCTION audit_remove(interval), retention_remove(text, timestamptz, integer) TO "+app)
	}
	if roles.Reader != "" {
		reader := pgx.Identifier{roles.Reader}.Sanitize()
		all = append(all, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "+reader, "GRANT USAGE ON SCHEMA public TO "+reader,
			"GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+reader)
	}
	if len(all) == 0 {
		return nil
	}
	// In PostgreSQL 14 and older everybody may make tables.
	all = append(all, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return failure(err)
	}
	defer tx.Rollback() //nolint:errcheck // it is committed when all went well
	for _, statement := range all {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return failure(err)
		}
	}
	return failure(tx.Commit())
}
