#!/usr/bin/env bash
# Makes the node image chat4all/node:$K8S from Debian packages, the programs of programs.sh and node/. Taken
# from Docker's store or the cache folder when its inputs have not changed. The upstream image's counterpart
# where no image can be pulled; see docs/decisions.md for the why of its parts.
. "$(dirname "$0")/../lib.sh"
. "$root/e2e/kind/versions.env"

here=$root/e2e/kind image=chat4all/node:$K8S codename=$(debian_codename)
content=$(stamp "$here/versions.env" "$here/programs.sh" "$here/node-image.sh" "$here/programs" "$here/node" "=$codename")

have_image "$image" "$content" && { "$here/programs.sh" tools; exit; }
[ "$(id -u)" = 0 ] || die "building the node image takes root (it makes a Debian root file system): sudo make cluster"
command -v apt-get >/dev/null || die "building the node image takes a Debian machine; elsewhere use upstream images (a Docker that reaches Docker Hub, and kind, helm and kubectl on the PATH)"
need mmdebstrap:mmdebstrap containerd:containerd ctr:containerd
"$here/programs.sh" all

bin=$CACHE/kind/bin
work=$(mktemp -d "$CACHE/kind/work.XXXX") containerd=
trap '[ -z "$containerd" ] || kill "$containerd" 2>/dev/null || true; rm -rf "$work"' EXIT

# The Debian root file system, with apt's sources as this machine has them.
packages=systemd,systemd-sysv,containerd,runc,containernetworking-plugins,iptables,iproute2,mount,procps,util-linux,busybox-static
base=$CACHE/kind/debian-$codename-$(stamp "=$packages").tar
if [ ! -s "$base" ]; then
  say "fetching Debian packages for the nodes"
  mmdebstrap --quiet --format=tar --variant=minbase --include=$packages \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$codename" "$base.tmp" "$(apt_sources)"
  mv "$base.tmp" "$base"
fi
node=$work/node
mkdir "$node"
tar -xf "$base" -C "$node" --exclude='./dev/*'

# The control plane's images, each a folder imported as one layer.
preload=()
from_folder() { # IMAGE FOLDER [docker import options]
  tar -C "$2" --owner=0 --group=0 -c . | docker import "${@:3}" - "$1" >/dev/null
  preload+=("$1")
}
from_program() { # IMAGE PROGRAM
  local folder
  folder=$(mktemp -d -p "$work")
  chmod 755 "$folder"
  install -D -m755 "$2" "$folder/usr/local/bin/$(basename "$2")"
  from_folder "$1" "$folder" --change "ENTRYPOINT [\"/usr/local/bin/$(basename "$2")\"]"
}
say "making the control plane's images"
wanted=$("$bin/kubeadm" config images list --kubernetes-version "$K8S")
for reference in $wanted; do
  name=${reference##*/} name=${name%:*}
  case $name in
    kube-proxy) # runs iptables too: with its plugins, and the libraries of both (libm is one that only a plugin needs)
      folder=$work/kube-proxy
      install -D -m755 "$bin/kube-proxy" "$folder/usr/local/bin/kube-proxy"
      # shellcheck disable=SC2016 # expanded inside the root file system
      chroot "$node" sh -c 'files="usr/sbin/xtables-nft-multi usr/lib/*/xtables/*.so"
        tar -ch $files $(ldd $files | sed -n "s|.*[[:space:]]/\(lib[^ ]*\) .*|\1|p" | sort -u)' | tar -xC "$folder"
      for tool in ip{,6}tables{,-save,-restore}; do ln -s xtables-nft-multi "$folder/usr/sbin/$tool"; done
      from_folder "$reference" "$folder" ;;
    pause) pause=$reference; from_program "$reference" "$bin/pause" ;;
    *) from_program "$reference" "$bin/$name" ;;
  esac
done
from_program "chat4all/local-path-provisioner:$LOCALPATH" "$bin/local-path-provisioner"
folder=$work/busybox
mkdir -p "$folder"/{bin,tmp}
cp "$node/bin/busybox" "$folder/bin/"
chroot "$folder" /bin/busybox --install -s /bin
from_folder chat4all/busybox:1 "$folder" --change 'CMD ["sh"]'

# The node itself.
install -m755 "$bin"/{kubelet,kubeadm,kubectl} "$node/usr/bin/"
install -m755 "$bin/crictl" "$node/usr/local/bin/"
rm -f "$node"/etc/systemd/system/*.wants/* "$node"/lib/systemd/system/{multi-user,local-fs,timers}.target.wants/* \
  "$node"/lib/systemd/system/sysinit.target.wants/{systemd-tmpfiles-setup,systemd-binfmt,systemd-firstboot}.service
cp -r "$here/node/." "$node/"
sed -i "s|@PAUSE@|${pause:?kubeadm names no pause image}|" "$node/etc/containerd/config.toml"
sed -i "s|@LOCALPATH@|$LOCALPATH|" "$node/kind/manifests/default-storage.yaml"
printf %s "$K8S" >"$node/kind/version"
mkdir -p "$node/etc/kubernetes/manifests" "$node/etc/cni/net.d"
rm -f "$node"/etc/cni/net.d/*
systemctl --quiet --root="$node" enable containerd.service kubelet.service

# Its images go straight into its containerd's store, by this machine's containerd (the same Debian version).
# Not unpacked, as in upstream's: /var is copied for each node.
say "preloading ${#preload[@]} images"
docker save "${preload[@]}" -o "$work/images.tar"
socket=$work/containerd.sock
containerd --config /dev/null --root "$node/var/lib/containerd" --state "$work/state" --address "$socket" \
  >"$CACHE/logs/preload-containerd.log" 2>&1 &
containerd=$!
wait_until 20 "containerd answers (log: $CACHE/logs/preload-containerd.log)" ctr -a "$socket" version
ctr -a "$socket" -n k8s.io images import --no-unpack --digests "$work/images.tar" >/dev/null
kill "$containerd"
wait "$containerd" || true
containerd=

old=$(docker image inspect -f '{{.Id}}' "$image" 2>/dev/null || true)
tar -C "$node" -c . | docker import --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' \
  --change 'ENV container=docker' --change "LABEL $label=$content" - "$image" >/dev/null
# shellcheck disable=SC2086 # $old may be empty
docker rmi "${preload[@]}" $old >/dev/null 2>&1 || true
keep_image "$image" "$content"
