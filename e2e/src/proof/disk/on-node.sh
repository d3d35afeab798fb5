# shellcheck shell=bash
# Runs as root on a node, on the folder of a volume of that node. Only `fill` and `empty` may find a pod that uses it.
#   small FOLDER   moves its content to a disk of its own: an ext4 in a file beside it, mounted over it, that is a
#                  tenth and one GiB larger than the content
#   fill FOLDER    leaves no room on that disk
#   empty FOLDER   gives the room back
#   where FOLDER   says `home`, or `small` from when the first begins until the last has ended
#   home FOLDER    moves it back, from wherever an interruption left it
# The file is there from before the content moves until it is back; what is whole beside it is to take its place.
set -euo pipefail
command=$1 folder=${2:?} file=$2.ext4 beside=$2.beside whole=$2.whole

die() { printf '%s\n' "$*" >&2; exit 1; }

room() { df --output=avail -k "$folder" | tail -n 1 | tr -d ' '; }

small() {
  local tool device content
  for tool in mkfs.ext4 losetup mount mountpoint fallocate; do
    command -v "$tool" >/dev/null || die "there is no $tool on it"
  done
  # A container's /dev holds the devices that there were when it was made.
  [ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
  device=$(losetup --find 2>/dev/null) || die "its kernel gives no loop device"
  [ -e "$device" ] || mknod "$device" b 7 "${device#/dev/loop}"
  content=$(du -sk "$folder" | cut -f 1)
  truncate -s "$((content * 11 / 10 + 1048576))K" "$file"
  mkfs.ext4 -q -F -m 0 "$file"
  mkdir "$beside"
  mount -o loop "$file" "$beside"
  rmdir "$beside/lost+found"
  cp -a "$folder/." "$beside/"
  umount "$beside"
  rmdir "$beside"
  mount -o loop "$file" "$folder"
}

fill() {
  mountpoint -q "$folder" || die "$folder is not on a disk of its own"
  # At once, and without writing; the rest is what ext4 keeps for its own tables until it is asked for.
  fallocate -l "$(room)K" "$folder/filler" 2>/dev/null || true
  dd if=/dev/zero of="$folder/rest" bs=64K 2>/dev/null || true
  [ "$(room)" -lt 1024 ] || die "$folder could not be filled: $(room) KiB are left"
}

empty() { rm -f "$folder/filler" "$folder/rest"; }

where() { if [ -e "$file" ]; then echo small; else echo home; fi; }

home() {
  if mountpoint -q "$beside"; then umount "$beside"; fi
  if [ -d "$beside" ]; then rmdir "$beside"; fi
  if mountpoint -q "$folder"; then
    empty
    if [ ! -d "$whole" ]; then
      rm -rf "$whole.copying"
      mkdir "$whole.copying"
      cp -a "$folder/." "$whole.copying/"
      mv "$whole.copying" "$whole"
    fi
    # The loop device goes with its last mount.
    umount "$folder"
  fi
  if [ -d "$whole" ]; then
    rm -rf "$folder"
    mv "$whole" "$folder"
  fi
  rm -f "$file"
}

case $command in
  small | fill | empty | where | home) "$command" ;;
  *) die "on-node.sh knows no $command" ;;
esac
