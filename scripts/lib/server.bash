# One PostgreSQL server in a directory of its own: its data, its password and its log. Sourced by the files beside it.
#
# server_parent                        prints the directory to make the directories of servers under
# server_own DIRECTORY                 gives a directory to the user whom servers run as
# as_owner DIRECTORY COMMAND...        runs a command there as that user
# server_init PROGRAMS DIRECTORY       makes the cluster DIRECTORY/data with a password of its own
# server_start PROGRAMS DIRECTORY [PARAMETERS]
#                                      starts it on a free port of the loopback interface, server_port, with
#                                      parameters as `postgres` takes them, all one word: "-k /somewhere -c fsync=off"
# server_url DIRECTORY [DATABASE]      prints the superuser's URL, with server_port
# server_stop PROGRAMS DIRECTORY       stops it; safe to call at any time
# server_log_tail DIRECTORY            shows the end of its log
#
# Works in bash 3.2, which is what macOS has.

server_port=""
server_user=""

# The server refuses to run as root.
server_choose_user() {
  [ "$(id -u)" -eq 0 ] || return 0
  server_user=nobody
  if id postgres >/dev/null 2>&1; then
    server_user=postgres
  fi
}

server_own() {
  server_choose_user
  if [ -n "$server_user" ]; then
    chown "$server_user" "$1"
  fi
}

as_owner() {
  local directory=$1
  shift
  if [ -z "$server_user" ]; then
    (cd "$directory" && "$@")
  elif command -v runuser >/dev/null; then
    (cd "$directory" && runuser -u "$server_user" -- "$@")
  else
    (cd "$directory" && setpriv --reuid "$server_user" --regid "$(id -g "$server_user")" --clear-groups "$@")
  fi
}

# Memory when there is room (steady times), else the temporary directory.
server_parent() {
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

server_init() {
  local programs=$1 directory=$2
  # A password that a test can look for in everything that the product prints.
  printf 'secret-%s\n' "$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')" |
    as_owner "$directory" sh -c "umask 077 && cat > password"
  # Nobody else may enter the socket's directory, so it may do without a password.
  if ! as_owner "$directory" "$programs/initdb" --pgdata=data --username=postgres --pwfile=password --no-sync \
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --no-locale >"$directory/initdb.log" 2>&1; then
    cat "$directory/initdb.log" >&2
    return 1
  fi
}

server_start() {
  local programs=$1 directory=$2 port attempt
  # pg_ctl hands them to a shell, where a line end would end the command.
  local parameters=${3:-}
  parameters=${parameters//$'\n'/ }
  # A port can be taken between a look and the start, so the start itself is the look.
  for attempt in 1 2 3 4 5 6 7 8; do
    port=$((20000 + (RANDOM % 12000)))
    if as_owner "$directory" "$programs/pg_ctl" start --wait --timeout=60 --silent --pgdata=data --log=server.log \
      --options="-p $port -c listen_addresses=127.0.0.1 $parameters" </dev/null >/dev/null 2>&1; then
      server_port=$port
      return 0
    fi
    grep -q "Address already in use" "$directory/server.log" || break
    echo "port $port is taken (attempt $attempt)" >&2
  done
  server_log_tail "$directory"
  return 1
}

server_url() {
  echo "postgres://postgres:$(cat "$1/password")@127.0.0.1:$server_port/${2:-postgres}"
}

server_stop() {
  local programs=$1 directory=$2
  [ -f "$directory/data/postmaster.pid" ] || return 0
  as_owner "$directory" "$programs/pg_ctl" stop --wait --timeout=20 --silent --mode=fast --pgdata=data \
    >/dev/null 2>&1 ||
    as_owner "$directory" "$programs/pg_ctl" stop --wait --timeout=20 --silent --mode=immediate --pgdata=data >&2 ||
    true
}

server_log_tail() {
  if [ -f "$1/server.log" ]; then
    echo "--- last lines of the server's log" >&2
    tail -n 40 "$1/server.log" >&2
  fi
}
