# One private PostgreSQL server for one test run. Sourced by scripts/test.
#
# postgres_find      sets postgres_bin to the directory of initdb, pg_ctl and postgres, or returns 1
# postgres_install   installs the distribution's server when that needs no question, or returns 1
# postgres_start     starts the server and exports the DBSETUP_TEST_POSTGRES* variables
# postgres_stop      stops it and removes its directory; safe to call at any time
#
# Works in bash 3.2, which is what macOS has.

postgres_bin=""
postgres_dir=""
postgres_user=""

postgres_find() {
  local candidate
  local -a candidates=()
  if [ -n "${DBSETUP_TEST_POSTGRES_BIN:-}" ]; then
    candidates=("$DBSETUP_TEST_POSTGRES_BIN")
  else
    if command -v pg_config >/dev/null; then
      candidates+=("$(pg_config --bindir)")
    fi
    # Debian keeps the server outside PATH, one directory a major version: newest first.
    while IFS= read -r candidate; do
      candidates+=("$candidate")
    done < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t / -k 5,5nr)
    candidate=$(type -P postgres || true)
    if [ -n "$candidate" ]; then
      candidates+=("$(dirname "$candidate")")
    fi
  fi
  for candidate in ${candidates[@]+"${candidates[@]}"}; do
    # pg_config of a client-only installation names a directory without a server.
    if [ -x "$candidate/initdb" ] && [ -x "$candidate/pg_ctl" ] && [ -x "$candidate/postgres" ]; then
      postgres_bin=$candidate
      return 0
    fi
  done
  return 1
}

# Runs a command as root, and fails where that would need a password.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

can_apt_install() {
  command -v apt-get >/dev/null || return 1
  [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$@" >&2
}

postgres_install() {
  can_apt_install || return 1
  echo "PostgreSQL is missing: installing the distribution's package" >&2
  as_root apt-get update --quiet >&2 || return 1
  # The package makes and starts a cluster on port 5432 unless told otherwise. We want its programs alone. This
  # drop-in is read by the package's own scripts; it goes away with the installation.
  local dropin=/etc/postgresql-common/createcluster.d/dbsetup-test.conf
  as_root mkdir -p "$(dirname "$dropin")" || return 1
  echo "create_main_cluster = false" | as_root tee "$dropin" >/dev/null || return 1
  local status=0
  apt_install postgresql || status=$?
  as_root rm -f "$dropin"
  return "$status"
}

# Runs a command as the server's owner. The server refuses to run as root.
as_postgres() {
  if [ -z "$postgres_user" ]; then
    (cd "$postgres_dir" && "$@")
  elif command -v runuser >/dev/null; then
    (cd "$postgres_dir" && runuser -u "$postgres_user" -- "$@")
  else
    (cd "$postgres_dir" && setpriv --reuid "$postgres_user" --regid "$(id -g "$postgres_user")" --clear-groups "$@")
  fi
}

# Prints the directory to work under: memory when there is room (steady times), else the temporary directory.
postgres_parent() {
  local free parent=${TMPDIR:-/tmp}
  parent=${parent%/}
  if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    free=$(df -Pk /dev/shm | awk 'NR == 2 { print $4 }')
    if [ "${free:-0}" -gt $((2 * 1024 * 1024)) ]; then
      parent=/dev/shm
    fi
  fi
  # A socket's path holds some 100 bytes; ours adds 50 at most.
  if [ "${#parent}" -gt 50 ]; then
    parent=/tmp
  fi
  echo "$parent"
}

postgres_start() {
  local password port attempt started=""
  postgres_dir=$(mktemp -d "$(postgres_parent)/dbsetup-test.XXXXXX")
  if [ "$(id -u)" -eq 0 ]; then
    postgres_user=nobody
    if id postgres >/dev/null 2>&1; then
      postgres_user=postgres
    fi
    chown "$postgres_user" "$postgres_dir"
  fi

  # A password that a test can look for in everything that the product prints.
  password="secret-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
  printf '%s\n' "$password" | as_postgres sh -c "umask 077 && cat > password"
  # The socket's directory is closed to others (mktemp), so it may do without a password.
  if ! as_postgres "$postgres_bin/initdb" --pgdata=data --username=postgres --pwfile=password \
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --no-locale >"$postgres_dir/initdb.log" 2>&1; then
    cat "$postgres_dir/initdb.log" >&2
    return 1
  fi
  as_postgres sh -c 'cat >> data/postgresql.conf' <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$postgres_dir'
log_lock_waits = on
log_line_prefix = '%m [%p] %d '
CONF

  # A port can be taken between a look and the start, so the start itself is the look.
  for attempt in 1 2 3 4 5 6 7 8; do
    port=$((20000 + (RANDOM % 12000)))
    if as_postgres "$postgres_bin/pg_ctl" start --wait --timeout=60 --silent --pgdata=data --log=server.log \
      --options="-p $port" </dev/null >/dev/null 2>&1; then
      started=yes
      break
    fi
    grep -q "Address already in use" "$postgres_dir/server.log" || break
    echo "port $port is taken (attempt $attempt)" >&2
  done
  if [ -z "$started" ]; then
    postgres_log_tail
    return 1
  fi

  export DBSETUP_TEST_POSTGRES="postgres://postgres:$password@127.0.0.1:$port/postgres"
  export DBSETUP_TEST_POSTGRES_SOCKET="$postgres_dir"
  export DBSETUP_TEST_POSTGRES_BIN="$postgres_bin"
  echo "$("$postgres_bin/postgres" --version), port $port, in $postgres_dir"
}

postgres_log_tail() {
  if [ -n "$postgres_dir" ] && [ -f "$postgres_dir/server.log" ]; then
    echo "--- last lines of the server's log" >&2
    tail -n 40 "$postgres_dir/server.log" >&2
  fi
}

postgres_stop() {
  [ -n "$postgres_dir" ] || return 0
  if [ -f "$postgres_dir/data/postmaster.pid" ]; then
    as_postgres "$postgres_bin/pg_ctl" stop --wait --timeout=20 --silent --mode=fast --pgdata=data >/dev/null 2>&1 ||
      as_postgres "$postgres_bin/pg_ctl" stop --wait --timeout=20 --silent --mode=immediate --pgdata=data >&2 || true
  fi
  rm -rf "$postgres_dir"
  postgres_dir=""
}
