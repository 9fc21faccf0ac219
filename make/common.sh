# Sourced by the scripts of this folder.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }

# Prints the path of a program that cargo has built.
built() { printf '%s/debug/%s' "${CARGO_TARGET_DIR:-target}" "$1"; }

# Runs cargo or make and tells how far it is: cargo's own bar on a terminal, a line now and then elsewhere.
with_progress() {
  if [ -t 2 ]; then
    "$@"
  else
    "$@" 2> >(thin_out)
  fi
}

# Not in awk, which may hold lines back for minutes.
thin_out() {
  local line crates=0
  while IFS= read -r line; do
    case $line in
    *" Compiling "* | *" Checking "*)
      crates=$((crates + 1))
      [ $((crates % 40)) -ne 0 ] || say "  … $crates crates compiled"
      ;;
    *" Downloading "* | *" Downloaded "* | *" Locking "* | *" Updating "* | *" Adding "* | *" Blocking "* | *" Finished "*) ;;
    *) say "$line" ;;
    esac
  done
}

# Builds these programs alone. They are still chosen from all of the workspace: for another selection cargo would build shared
# crates with other features, again.
# build_some STEP BIN…
build_some() {
  local step=$1 bins=() bin
  shift
  for bin in "$@"; do bins+=(--bin "$bin"); done
  say "$step compiling $*"
  with_progress "${CARGO:-cargo}" build --locked --workspace "${bins[@]}"
}

# What the demo and the tests need to be built, each with a line that says so. Quick where nothing has changed.
build_programs() {
  say "$1 compiling the operator, the load and the cluster's harness (about 3 min the first time)"
  with_progress "${CARGO:-cargo}" build --locked --workspace --bins
}

# beside COMMAND…: starts it beside what follows; `together` waits for all of them, and fails where one failed. Each compiler leaves
# a core idle now and then, and the other one takes it.
lanes=()
beside() {
  # A process group of its own, so that its end takes the compilers along.
  set -m
  "$@" </dev/null &
  set +m
  lanes+=("$!")
  trap 'kill -TERM -- "${lanes[@]/#/-}" 2>/dev/null || true' EXIT
}
together() {
  local lane
  for lane in "${lanes[@]}"; do wait "$lane"; done
  trap - EXIT
}

# timed COMMAND…: says how long the command took, once it is done.
timed() {
  local start=$SECONDS
  "$@"
  say "      done after $((SECONDS - start)) s"
}

# npm_packages LIST FOLDER: what the lock file in the folder LIST names. Again only where that has changed: it is copied once everything is
# there.
npm_packages() {
  ! cmp -s "$1/package-lock.json" "$2/installed.json" || return 0
  mkdir -p "$2"
  cp "$1/package.json" "$1/package-lock.json" "$2"
  (cd "$2" && npm ci --ignore-scripts --no-audit --no-fund --loglevel error >&2)
  cp "$1/package-lock.json" "$2/installed.json"
}

install_node() {
  say "$1 the packages of a real node: containerd, runc, CNI plugins, iptables"
  "$(built cluster)" node-deps --install >&2
}

# build_kubernetes STEP [FLAG…]: flags say what else is needed.
build_kubernetes() {
  say "$1 Kubernetes from pinned Go modules (about 6 min the first time)"
  "$(built cluster)" build "${@:2}" >/dev/null
}

build_more() {
  say "$1 kwok, Helm and Prometheus, for simulated nodes, the chart and the alerts (about 3 min the first time)"
  "$(built cluster)" build --more >/dev/null
}

build_images() {
  say "$1 the sample app's images, v1.0.0 and v2.0.0 (about 2 min the first time)"
  with_progress make --no-print-directory -s images
}

build_operator_image() {
  say "$1 the operator's image (about 3 min the first time)"
  with_progress make --no-print-directory -s image
}
