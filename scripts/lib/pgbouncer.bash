# Two PgBouncers in transaction mode before the private PostgreSQL server. Sourced by scripts/test, after
# postgres.bash.
#
# pgbouncer_install  installs the distribution's package when that needs no question, or returns 1
# pgbouncer_start    starts both and exports DBSETUP_TEST_PGBOUNCER (refuses start-up options, the default) and
#                    DBSETUP_TEST_PGBOUNCER_DROPPING (drops them); returns 1 without the program or a private server
# pgbouncer_stop     stops them; safe to call at any time, and before postgres_stop

pgbouncer_pids=""

pgbouncer_find() {
  # Debian keeps it outside of the PATH of most users.
  PATH="$PATH:/usr/sbin" type -P pgbouncer
}

pgbouncer_install() {
  can_apt_install || return 1
  echo "PgBouncer is missing: installing the distribution's package" >&2
  as_root apt-get update --quiet >&2 || return 1
  # The package would start a service of its own.
  local policy=/usr/sbin/policy-rc.d made=""
  if ! [ -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod +x "$policy" && made=yes
  fi
  local status=0
  apt_install pgbouncer || status=$?
  if [ -n "$made" ]; then
    as_root rm -f "$policy"
  fi
  return "$status"
}

# Starts one: NAME VARIABLE IGNORED-PARAMETERS.
pgbouncer_start_one() {
  local name=$1 variable=$2 ignored=$3 program port attempt password server_port
  program=$(pgbouncer_find)
  password=${DBSETUP_TEST_POSTGRES#*://postgres:}
  password=${password%%@*}
  server_port=${DBSETUP_TEST_POSTGRES##*:}
  server_port=${server_port%%/*}
  printf '"postgres" "%s"\n' "$password" | as_postgres sh -c "umask 077 && cat > $name.users"
  for attempt in 1 2 3 4 5 6 7 8; do
    port=$((20000 + (RANDOM % 12000)))
    as_postgres sh -c "cat > $name.ini" <<CONF
[databases]
* = host=127.0.0.1 port=$server_port
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $postgres_dir/$name.users
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
server_idle_timeout = 2
ignore_startup_parameters = extra_float_digits$ignored
logfile = $postgres_dir/$name.log
pidfile = $postgres_dir/$name.pid
CONF
    if as_postgres "$program" --quiet --daemon "$name.ini" </dev/null >/dev/null 2>&1 &&
      pgbouncer_answers "$port" "$password"; then
      pgbouncer_pids+=" $(as_postgres cat "$name.pid")"
      export "$variable=postgres://postgres:$password@127.0.0.1:$port/postgres"
      return 0
    fi
    echo "PgBouncer does not answer on port $port (attempt $attempt)" >&2
  done
  return 1
}

pgbouncer_answers() {
  local attempt
  for attempt in $(seq 50); do
    # shellcheck disable=SC2154 # postgres.bash sets it.
    if PGPASSWORD=$2 "$postgres_bin/psql" -X -q -h 127.0.0.1 -p "$1" -U postgres -d postgres -c 'select 1' >/dev/null 2>&1; then
      return 0
    fi
    sleep 0.1
  done
  return 1
}

pgbouncer_start() {
  [ -n "$postgres_dir" ] && pgbouncer_find >/dev/null || return 1
  pgbouncer_start_one pgbouncer DBSETUP_TEST_PGBOUNCER "" &&
    pgbouncer_start_one pgbouncer-dropping DBSETUP_TEST_PGBOUNCER_DROPPING ", options"
}

pgbouncer_stop() {
  local pid
  for pid in $pgbouncer_pids; do
    as_postgres kill -INT "$pid" 2>/dev/null || true
  done
  pgbouncer_pids=""
}
