#!/bin/sh
# Run once by the postgres image, on an empty data directory: Helsebro and Temporal
# get a role and databases of their own, and neither may look into the other's.
set -eu

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
	--set helsebro_password="$APP_DATABASE_PASSWORD" \
	--set temporal_password="$TEMPORAL_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE helsebro LOGIN PASSWORD :'helsebro_password';
CREATE DATABASE helsebro OWNER helsebro;
REVOKE CONNECT ON DATABASE helsebro FROM PUBLIC;

CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE temporal, temporal_visibility FROM PUBLIC;
SQL
