# The servers of the databases that scripts/regression builds. Sourced by scripts/test, after server.bash.
#
# regression_start MAJOR DIRECTORY   starts one and exports DBSETUP_TEST_REGRESSION_<major>, its superuser's URL,
#                                    and with _PROGRAMS and _SOURCE behind it the directories of its programs and of
#                                    PostgreSQL's source text
# regression_stop                    stops all; safe to call at any time
#
# Works in bash 3.2, which is what macOS has.

regression_running=()

regression_start() {
  local major=$1 directory=$2 programs
  programs=$(cat "$directory/programs")
  server_choose_user
  # A run that was killed could not stop it.
  server_stop "$programs" "$directory"
  regression_running+=("$directory")
  server_start "$programs" "$directory" "-c unix_socket_directories= -c shared_buffers=16MB -c fsync=off
    -c synchronous_commit=off -c max_locks_per_transaction=256 -c wal_level=minimal -c max_wal_senders=0
    -c max_prepared_transactions=2" || return 1
  export "DBSETUP_TEST_REGRESSION_$major=$(server_url "$directory")"
  export "DBSETUP_TEST_REGRESSION_${major}_PROGRAMS=$programs"
  export "DBSETUP_TEST_REGRESSION_${major}_SOURCE=$directory/source"
  echo "$("$programs/postgres" --version), port $server_port, in $directory"
}

regression_stop() {
  local directory
  for directory in ${regression_running[@]+"${regression_running[@]}"}; do
    server_stop "$(cat "$directory/programs")" "$directory"
  done
  regression_running=()
}
