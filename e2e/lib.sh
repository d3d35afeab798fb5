# shellcheck shell=bash
# What the scripts under e2e/ share: where things are kept, how they speak, how they wait, and how
# an image is taken from Docker's store or the cache folder before anything is built. Sourced only.
set -euo pipefail

# shellcheck disable=SC2034 # read by the scripts that source this file
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${CHAT4ALL_CACHE:-$HOME/.cache/chat4all}
mkdir -p "$CACHE"/{bin,logs,images}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
export PATH=$CACHE/bin:$CACHE/tools/bin:$PATH
# A kubeconfig of our own: the scripts never see, nor change, another cluster's.
export KUBECONFIG=$CACHE/kubeconfig
# shellcheck disable=SC2034 # read by the scripts that source this file
CLUSTER=chat4all NAMESPACE=chat4all OPERATOR_NAMESPACE=chat4all-system VERSION=0.1.0

say() { printf '[%4ss] %s\n' "$SECONDS" "$*"; }
die() { printf '\nerror: %s\n' "$*" >&2; exit 1; }

# need COMMAND:PACKAGE...: every command is there afterwards. Root on Debian gets the packages
# installed; anyone else is told their names. An absolute path instead of a command is a file.
need() {
  local pair thing missing=() debs=()
  for pair; do
    thing=${pair%%:*}
    case $thing in
      /*) [ -e "$thing" ] && continue ;;
      *) command -v "$thing" >/dev/null && continue ;;
    esac
    missing+=("$thing") debs+=("${pair#*:}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    die "missing: ${missing[*]}. On Debian or Ubuntu: sudo apt-get install ${debs[*]}"
  fi
  say "installing Debian packages ${debs[*]} (missing: ${missing[*]})"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "${debs[@]}"; } \
    >"$CACHE/logs/apt.log" 2>&1 || die "apt-get failed, see $CACHE/logs/apt.log"
}

# wait_until SECONDS WHAT COMMAND...: runs the command every second until it succeeds; fails after SECONDS.
wait_until() {
  local limit=$1 what=$2 begin=$SECONDS
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ $((SECONDS - begin)) -ge "$limit" ]; then
      printf '\nerror: not within %s s: %s\n' "$limit" "$what" >&2
      return 1
    fi
    sleep 1
  done
}

# stamp FILE|FOLDER|=TEXT...: one short hash of all their contents.
stamp() {
  local item
  for item; do
    case $item in
      =*) printf '%s\n' "${item#=}" ;;
      *) if [ -d "$item" ]; then (cd "$item" && find . -type f -print0 | sort -z | xargs -0 sha256sum); else sha256sum <"$item"; fi ;;
    esac
  done | sha256sum | cut -c1-16
}

# docker_build ARGUMENT...: quiet unless it fails.
docker_build() {
  docker build "$@" >"$CACHE/logs/docker-build.log" 2>&1 || { tail -20 "$CACHE/logs/docker-build.log" >&2; die "docker build failed"; }
}

label=io.chat4all.content

# have_image REFERENCE STAMP: Docker has the image with this content, if need be from the cache folder.
have_image() {
  local archive
  archive=$(archive_of "$1" "$2")
  image_has_stamp "$1" "$2" && return
  [ -s "$archive" ] || return
  say "loading $1 from $archive"
  zstd -qdc "$archive" | docker load -q >/dev/null && image_has_stamp "$1" "$2"
}
image_has_stamp() { [ "$(docker image inspect -f "{{index .Config.Labels \"$label\"}}" "$1" 2>/dev/null)" = "$2" ]; }

# keep_image REFERENCE STAMP: saves it in the cache folder, in the place of older contents.
keep_image() {
  local archive
  archive=$(archive_of "$1" "$2")
  docker save "$1" | zstd -q -3 -T0 -f -o "$archive.tmp"
  rm -f "${archive%-"$2".tar.zst}"-*.tar.zst
  mv "$archive.tmp" "$archive"
  say "built $1: $(docker image inspect -f '{{.Size}}' "$1" | numfmt --to=iec), kept in $archive"
}
archive_of() { local name=${1##*/}; printf '%s/images/%s-%s.tar.zst' "$CACHE" "${name//:/-}" "$2"; }

debian_codename() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# apt_sources: where this machine gets Debian's packages from; the older form of the file is a list.
apt_sources() {
  local file
  for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    if [ -s "$file" ]; then echo "$file"; return; fi
  done
  die "neither /etc/apt/sources.list.d/debian.sources nor /etc/apt/sources.list says where Debian's packages come from"
}

# decide_images: sets IMAGES to `upstream` or `registries`, and says why. One bounded look at Docker Hub at most.
decide_images() {
  local why node=kindest/node:v1.34.0 running tool missing=() hidden
  hidden=$(printf %s "$PATH" | tr : '\n' | grep -vxF "$CACHE/bin" | tr '\n' :)
  for tool in kind helm kubectl; do PATH=$hidden command -v $tool >/dev/null || missing+=("$tool"); done
  running=$(docker inspect -f '{{.Config.Image}}' "$CLUSTER-control-plane" 2>/dev/null || true)
  if [ -n "${CHAT4ALL_IMAGES:-}" ]; then
    IMAGES=$CHAT4ALL_IMAGES why="CHAT4ALL_IMAGES says so"
    case $IMAGES in registries | upstream) ;; *) die "CHAT4ALL_IMAGES is '$IMAGES'; it may be registries or upstream" ;; esac
  elif [ -n "$running" ]; then
    case $running in chat4all/node:*) IMAGES=registries ;; *) IMAGES=upstream ;; esac
    why="the cluster that exists has nodes of $running"
  elif [ ${#missing[@]} -gt 0 ]; then
    IMAGES=registries why="not on the PATH: ${missing[*]}"
  elif timeout 10 docker manifest inspect "$node" >/dev/null 2>&1; then
    IMAGES=upstream why="Docker can pull $node, and kind, helm and kubectl are there"
  else
    IMAGES=registries why="Docker cannot pull $node"
  fi
  case $IMAGES in
    upstream)
      [ ${#missing[@]} = 0 ] || die "upstream images need ${missing[*]} on the PATH (kind.sigs.k8s.io, helm.sh, kubernetes.io/docs/tasks/tools); CHAT4ALL_IMAGES=registries builds them"
      say "images: pulled from their registries ($why)" ;;
    registries) say "images: built from package registries ($why)" ;;
  esac
}

# diagnose NAMESPACE...: what to look at when a wait has failed.
diagnose() {
  local ns
  {
    echo; echo "--- resources"; kubectl get c4a -A -o wide 2>/dev/null || true
    kubectl get c4a -A -o jsonpath='{range .items[*]}{range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}{end}' 2>/dev/null || true
    for ns; do
      echo "--- pods of $ns"; kubectl -n "$ns" get pods -o wide || true
      echo "--- latest events of $ns"; kubectl -n "$ns" get events --sort-by=.lastTimestamp 2>/dev/null | tail -15 || true
    done
    echo "--- look further with: export KUBECONFIG=$KUBECONFIG PATH=$CACHE/bin:\$PATH; kubectl -n $NAMESPACE describe c4a; kubectl -n $NAMESPACE logs POD"
  } >&2
}
