#!/usr/bin/env bash
# A real server of PostgreSQL for tests: user "worker" with password "s3cret/word" over TCP, "postgres" without over the socket.
# Usage: postgres.sh start FOLDER PORT     makes FOLDER with a new server, which listens at 127.0.0.1:PORT and at FOLDER/.s.PGSQL.PORT
#        postgres.sh up|down|kill FOLDER   starts it again, ends it, or kills it at once; its data stay
#        postgres.sh sql FOLDER PORT DATABASE SQL
set -euo pipefail
folder=$2
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
# The server refuses to run as root.
server() { if [ "$(id -u)" -eq 0 ]; then (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups "$@"); else "$@"; fi; }
up() { server "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 60 -s start; }
sql() { PGOPTIONS="-c client_min_messages=warning" "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$folder" -p "$1" -U postgres -d "$2" -c "$3"; }

case "$1" in
  start)
    mkdir -p "$folder"
    [ "$(id -u)" -ne 0 ] || chown postgres: "$folder"
    server "$bin/initdb" -D "$folder/data" -U postgres --auth-local=trust --auth-host=scram-sha-256 --no-sync -E UTF8 --locale=C >/dev/null
    server tee -a "$folder/data/postgresql.conf" >/dev/null <<CONF
port = $3
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
fsync = off
shared_buffers = 16MB
CONF
    up
    sql "$3" postgres "CREATE ROLE worker LOGIN PASSWORD 's3cret/word'"
    sql "$3" postgres "CREATE ROLE guest LOGIN PASSWORD 'guest'"
    sql "$3" postgres "CREATE DATABASE studies OWNER worker"
    ;;
  up) up ;;
  down) server "$bin/pg_ctl" -D "$folder/data" -w -s -m fast stop ;;
  kill) server "$bin/pg_ctl" -D "$folder/data" -w -s -m immediate stop ;;
  sql) sql "$3" "$4" "$5" ;;
esac
