#!/bin/sh
# Brings both databases of Temporal to the schema of this version of the server.
# Repeating it is harmless: a database that is up to date stays as it is. Where the
# databases are is in the SQL_ variables.
set -eu

schema() {
	temporal-sql-tool --database "$1" setup-schema --version 0.0
	temporal-sql-tool --database "$1" update-schema --schema-name "postgresql/v12/$2"
}

schema temporal temporal
schema temporal_visibility visibility
