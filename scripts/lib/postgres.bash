# One private PostgreSQL server for one test run. Sourced by scripts/test, after server.bash.
#
# postgres_find      sets postgres_bin to the directory of initdb, pg_ctl and postgres, or returns 1
# postgres_install   installs the distribution's server when that needs no question, or returns 1
# postgres_start     starts the server and exports the DBSETUP_TEST_POSTGRES* variables
# postgres_stop      stops it and removes its directory; safe to call at any time
#
# Works in bash 3.2, which is what macOS has.

postgres_bin=""
postgres_dir=""

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

# Runs a command in the server's directory as its owner.
as_postgres() {
  as_owner "$postgres_dir" "$@"
}

postgres_start() {
  postgres_dir=$(mktemp -d "$(server_parent)/dbsetup-test.XXXXXX")
  server_own "$postgres_dir"
  server_init "$postgres_bin" "$postgres_dir" || return 1
  # mktemp closed the directory to others, and with it the socket.
  as_owner "$postgres_dir" sh -c 'cat >> data/postgresql.conf' <<CONF
unix_socket_directories = '$postgres_dir'
log_lock_waits = on
log_line_prefix = '%m [%p] %d '
CONF
  server_start "$postgres_bin" "$postgres_dir" || return 1

  DBSETUP_TEST_POSTGRES=$(server_url "$postgres_dir")
  export DBSETUP_TEST_POSTGRES
  export DBSETUP_TEST_POSTGRES_SOCKET="$postgres_dir"
  export DBSETUP_TEST_POSTGRES_BIN="$postgres_bin"
  echo "$("$postgres_bin/postgres" --version), port $server_port, in $postgres_dir"
}

postgres_log_tail() {
  if [ -n "$postgres_dir" ]; then
    server_log_tail "$postgres_dir"
  fi
}

postgres_stop() {
  [ -n "$postgres_dir" ] || return 0
  server_stop "$postgres_bin" "$postgres_dir"
  rm -rf "$postgres_dir"
  postgres_dir=""
}
