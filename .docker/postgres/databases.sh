#!/bin/sh
# Run once by the postgres image, on an empty data directory: Helsebro and Temporal
# get roles and databases of their own, and neither may look into the other's. Helsebro's
# tables belong to helsebro, its programs are helsebro_app: what may be done to the audit is
# not theirs to decide. helsebro_reader may be granted to whoever makes reports or backups.
set -eu

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
	--set helsebro_password="$OWNER_DATABASE_PASSWORD" \
	--set app_password="$APP_DATABASE_PASSWORD" \
	--set temporal_password="$TEMPORAL_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE helsebro LOGIN PASSWORD :'helsebro_password';
CREATE ROLE helsebro_app LOGIN PASSWORD :'app_password';
CREATE ROLE helsebro_reader NOLOGIN;
CREATE DATABASE helsebro OWNER helsebro;
REVOKE CONNECT ON DATABASE helsebro FROM PUBLIC;
GRANT CONNECT ON DATABASE helsebro TO helsebro_app, helsebro_reader;

CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE temporal, temporal_visibility FROM PUBLIC;
SQL
