#!/usr/bin/env bash
# Compiles the two programs (release) and makes their images chat4all/chat4all and chat4all/chat4all-operator.
# What was made of the same sources, compiler and base is taken from Docker or the cache folder: to cargo, all
# files of a new clone have changed.
. "$(dirname "$0")/../lib.sh"

[ -n "${IMAGES:=${CHAT4ALL_IMAGES:-}}" ] || decide_images
packages=(-p chat4all -p chat4all-operator)
cd "$root"

# Upstream's base has Debian 12's libc (2.36). Where this machine's is newer, the programs are compiled in a
# container of that Debian; its target folder is kept apart from this machine's.
in_container() {
  local here
  [ "$IMAGES" = upstream ] || return 1
  here=$(ldd --version 2>/dev/null | sed -n '1s/.* //p')
  [ -z "$here" ] || [ "$(printf '%s\n2.36\n' "$here" | sort -V | tail -1)" != 2.36 ]
}
where=here
! in_container || where=container

base=() base_id=distroless
if [ "$IMAGES" = registries ]; then
  reference=$("$root/e2e/images/base.sh")
  base=(--build-arg "BASE=$reference")
  base_id=$(docker image inspect -f '{{.Id}}' "$reference")
fi

content=$(stamp Cargo.toml Cargo.lock operator workloads e2e/images/Dockerfile "=$base_id" "=$where" "=$(rustc --version)")
if have_image "chat4all/chat4all:$VERSION" "$content" && have_image "chat4all/chat4all-operator:$VERSION" "$content"; then exit; fi

if [ $where = container ]; then
  target=$CACHE/target-debian12
  mkdir -p "$target" "$CACHE/cargo-debian12"
  say "compiling in rust:1-bookworm, since this machine's libc is not Debian 12's"
  docker run --rm -u "$(id -u):$(id -g)" -v "$root:/source:ro" -v "$target:/target" -v "$CACHE/cargo-debian12:/cargo" \
    -e CARGO_TARGET_DIR=/target -e CARGO_HOME=/cargo -w /source rust:1-bookworm cargo build --locked --release "${packages[@]}"
else
  target=$CARGO_TARGET_DIR
  say "compiling the programs (release)"
  cargo build --locked --release "${packages[@]}"
fi

context=$(mktemp -d "$CACHE/context.XXXX")
trap 'rm -rf "$context"' EXIT
program() { # NAME
  local image=chat4all/$1:$VERSION
  ln -f "$target/release/chat4all" "$target/release/chat4all-operator" "$context" 2>/dev/null \
    || cp "$target/release/chat4all" "$target/release/chat4all-operator" "$context"
  docker_build -f "$root/e2e/images/Dockerfile" --target "$1" -t "$image" "${base[@]}" \
    --build-arg "VERSION=$VERSION" --build-arg "CONTENT=$content" "$context"
  # A library that the base lacks shows here and not as a crashing pod.
  docker run --rm --read-only --cap-drop ALL "$image" --version >/dev/null || die "$image does not start; is a library missing in its base? ldd $target/release/$1"
  keep_image "$image" "$content"
}
program chat4all
program chat4all-operator
docker image prune -f --filter "label=$label" >/dev/null # the ones that these replace
