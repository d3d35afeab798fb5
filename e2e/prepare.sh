#!/usr/bin/env bash
# Makes this machine able to do what the Makefile asks of it, and does nothing when it is already.
#   prepare.sh build     a Rust toolchain and what the C parts of the dependencies need
#   prepare.sh cluster   Docker (started if it does not run), curl, jq, zstd
#   prepare.sh lint      cargo-deny
#   prepare.sh tools     kind, helm and kubectl, when they are not on the PATH
# Root on Debian gets missing packages installed; everyone else is told their names.
. "$(dirname "$0")/lib.sh"

CARGO_DENY=0.20.2

build() {
  command -v cargo >/dev/null || die "missing: cargo (Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml") or newer). Get it from https://rustup.rs"
  need cc:gcc /usr/include/stdio.h:libc6-dev make:make pkg-config:pkg-config
  pkg-config --exists openssl || need /usr/include/openssl/ssl.h:libssl-dev
}

lint() {
  [ "$(cargo-deny --version 2>/dev/null)" = "cargo-deny $CARGO_DENY" ] && return
  say "installing cargo-deny $CARGO_DENY into $CACHE/tools (once, some minutes)"
  # Unoptimised: it reads one lock file, which takes a second either way, and compiles in half the time.
  env -u CARGO_TARGET_DIR cargo install --quiet --locked --debug --root "$CACHE/tools" "cargo-deny@$CARGO_DENY" \
    || die "cargo-deny could not be installed"
}

tools() {
  local tool
  for tool in kind helm kubectl; do
    command -v $tool >/dev/null || { "$root/e2e/kind/programs.sh" tools; return; }
  done
}

cluster() {
  need curl:curl jq:jq zstd:zstd docker:docker.io
  docker info >/dev/null 2>&1 && { grant_privileges; return; }
  [ "$(id -u)" = 0 ] || die "Docker does not answer. Start it, or join the group docker: sudo systemctl start docker; sudo usermod -aG docker $USER"
  need dockerd:docker.io containerd:containerd runc:runc iptables:iptables
  grant_privileges
  start_dockerd
}

# Some sandboxes take CAP_SYS_RESOURCE (bit 24) away from everything, and Docker refuses a privileged
# container there: a wrapper of runc leaves that one out of the request.
grant_privileges() {
  local bounding
  bounding=$((16#$(awk '/CapBnd/ {print $2}' /proc/self/status)))
  [ $((bounding >> 24 & 1)) = 0 ] && [ "$(id -u)" = 0 ] || return 0
  # Another runtime than runc as default means that somebody has seen to it.
  [ -e /etc/docker/daemon.json ] && grep -q default-runtime /etc/docker/daemon.json && return
  [ ! -e /etc/docker/daemon.json ] || die "this machine lacks CAP_SYS_RESOURCE; add to /etc/docker/daemon.json: $(runtime_setting)"
  say "this machine lacks CAP_SYS_RESOURCE: Docker gets a runtime that does without (/etc/docker/daemon.json)"
  install -D -m755 "$root/e2e/kind/runc-without-sys-resource" /usr/local/sbin/runc-without-sys-resource
  mkdir -p /etc/docker
  runtime_setting >/etc/docker/daemon.json
  local pid
  if pid=$(pidof dockerd); then
    kill -HUP "$pid" # rereads daemon.json
    wait_until 10 "dockerd takes the new runtime" sh -c 'docker info --format "{{.DefaultRuntime}}" | grep -qv "^runc$"'
  fi
}
runtime_setting() {
  echo '{"runtimes": {"without-sys-resource": {"path": "/usr/local/sbin/runc-without-sys-resource"}}, "default-runtime": "without-sys-resource"}'
}

start_dockerd() {
  # After an unclean death the files name a process that is gone, a zombie or somebody else's, and Docker
  # will not start over them. pidof does not count zombies.
  pidof dockerd >/dev/null || rm -f /var/run/docker.pid
  pidof containerd >/dev/null || rm -f /var/run/docker/containerd/containerd.pid
  if ! pidof dockerd >/dev/null; then
    say "starting dockerd (log: $CACHE/logs/dockerd.log)"
    # The kernel forwards published ports itself. Docker's proxy process keeps connections to a pod that is gone
    # until it has no file left, and then ends, and with it the port.
    setsid nohup dockerd --userland-proxy=false >"$CACHE/logs/dockerd.log" 2>&1 </dev/null &
  fi
  wait_until 60 "dockerd answers" docker info || { tail -5 "$CACHE/logs/dockerd.log" >&2; exit 1; }
}

[ $# -gt 0 ] || die "usage: prepare.sh build|cluster|lint|tools ..."
for part; do
  case $part in build | cluster | lint | tools) "$part" ;; *) die "prepare.sh knows build, cluster, lint and tools, not '$part'" ;; esac
done
