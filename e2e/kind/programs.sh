#!/usr/bin/env bash
# Builds from the Go module proxy, static, what the cluster needs, each program once per version.
#   programs.sh tools   kind, helm and kubectl, into $CACHE/bin
#   programs.sh all     the programs of a node as well, into $CACHE/kind/bin
. "$(dirname "$0")/../lib.sh"
. "$root/e2e/kind/versions.env"

work=$CACHE/kind
mkdir -p "$work"/{bin,built,module}
export CGO_ENABLED=0 GOFLAGS=-mod=mod GOWORK=off

# fresh NAME VERSIONS: this program of these versions is there; else an empty module is started for it.
fresh() {
  if [ "$(cat "$work/built/$1" 2>/dev/null)" = "$2" ]; then return; fi
  command -v go >/dev/null || die "missing: go 1.24 or newer, to build $1 (Debian 12's own is too old: https://go.dev/dl). Or use upstream images: a Docker that reaches Docker Hub, and kind, helm and kubectl on the PATH"
  rm -rf "$work/module/$1" "$work/built/$1"
  mkdir -p "$work/module/$1"
  in_module "$1" go mod init "chat4all/$1"
  return 1
}

# in_module NAME COMMAND...: runs there, quietly unless it fails.
in_module() {
  local log=$CACHE/logs/go-$1.log
  (cd "$work/module/$1" && "${@:2}") >"$log" 2>&1 || { tail -20 "$log" >&2; die "${*:2} failed for $1"; }
}

# build NAME VERSIONS LDFLAGS PACKAGE...
build() {
  local name=$1 versions=$2 begin=$SECONDS
  say "building $name"
  in_module "$name" go build -trimpath -ldflags "-s -w $3" -o "$work/bin/" "${@:4}"
  printf %s "$versions" >"$work/built/$name"
  say "built $name in $((SECONDS - begin)) s"
}

# k8s.io/kubernetes replaces its k8s.io/* siblings by folders that the published module lacks: point them at
# the published siblings.
siblings() {
  go mod download -json "k8s.io/kubernetes@$K8S" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p' | xargs cat |
    sed -n '/^replace (/,/^)/s/^\t\([^ ]*\) => .*/\1/p' | sed "s|.*|-replace=&=&@$K8S_STAGING|"
}

# Without these flags the components call themselves v0.0.0, which kubeadm refuses.
minor=${K8S#v1.} minor=${minor%%.*} k8s_flags=
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  k8s_flags+=" -X $package.gitVersion=$K8S -X $package.gitMajor=1 -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
done

kubernetes() {
  of_kubernetes kubernetes k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy,kubelet,kubeadm}
}
tool_kubectl() { # by itself, for a machine that has the node image from the cache folder
  of_kubernetes kubectl k8s.io/kubernetes/cmd/kubectl
}
of_kubernetes() { # NAME PACKAGE...
  local name=$1 v="$K8S $K8S_STAGING" replaces
  shift
  fresh "$name" "$v" && return
  mapfile -t replaces < <(siblings)
  [ ${#replaces[@]} -gt 0 ] || die "k8s.io/kubernetes@$K8S could not be read from the module proxy"
  in_module "$name" go mod edit -godebug=default=go1.24 "${replaces[@]}"
  in_module "$name" go get "${@/%/@$K8S}"
  build "$name" "$v" "$k8s_flags" "$@"
}

local_path_provisioner() {
  local v="$LOCALPATH $K8S"
  fresh local-path-provisioner "$v" && return
  cp "$work"/module/kubernetes/go.* "$work/module/local-path-provisioner/" # the same client-go, compiled already
  in_module local-path-provisioner go get "github.com/rancher/local-path-provisioner@$LOCALPATH"
  build local-path-provisioner "$v" "" github.com/rancher/local-path-provisioner
}

# A module of its own for each: they would raise the versions that Kubernetes pins.
crictl() {
  fresh crictl "$CRICTL" && return
  in_module crictl go get "sigs.k8s.io/cri-tools/cmd/crictl@$CRICTL"
  build crictl "$CRICTL" "-X sigs.k8s.io/cri-tools/pkg/version.Version=$CRICTL" sigs.k8s.io/cri-tools/cmd/crictl
}

etcd() {
  fresh etcd "$ETCD" && return
  in_module etcd go get "go.etcd.io/etcd/server/v3@$ETCD"
  build etcd "$ETCD" "" go.etcd.io/etcd/server/v3
  mv "$work/bin/server" "$work/bin/etcd"
}

coredns() {
  local v
  v="$COREDNS $(stamp "$root/e2e/kind/programs/coredns")"
  fresh coredns "$v" && return
  cp "$root/e2e/kind/programs/coredns/main.go" "$work/module/coredns/"
  in_module coredns go get "github.com/coredns/coredns@$COREDNS"
  in_module coredns go mod tidy
  build coredns "$v" "" .
}

pause() {
  local v
  v=$(stamp "$root/e2e/kind/programs/pause")
  fresh pause "$v" && return
  cp "$root/e2e/kind/programs/pause/main.go" "$work/module/pause/"
  build pause "$v" "" .
}

tool_kind() {
  fresh kind "$KIND" && return
  in_module kind go get "sigs.k8s.io/kind@$KIND"
  build kind "$KIND" "" sigs.k8s.io/kind
}

# Helm takes from flags as well which Kubernetes a template is for when no cluster is asked.
helm_flags="-X helm.sh/helm/v3/internal/version.version=$HELM"
for package in helm.sh/helm/v3/pkg/chartutil helm.sh/helm/v3/pkg/lint/rules; do
  helm_flags+=" -X $package.k8sVersionMajor=1 -X $package.k8sVersionMinor=$minor"
done
tool_helm() {
  fresh helm "$HELM $minor" && return
  in_module helm go get "helm.sh/helm/v3/cmd/helm@$HELM"
  build helm "$HELM $minor" "$helm_flags" helm.sh/helm/v3/cmd/helm
}

case ${1:-} in
  tools) tool_kubectl; tool_kind; tool_helm ;;
  all) kubernetes; tool_kubectl; local_path_provisioner; crictl; etcd; coredns; pause; tool_kind; tool_helm ;;
  *) die "usage: programs.sh tools|all" ;;
esac
for tool in kind helm kubectl; do ln -sf "$work/bin/$tool" "$CACHE/bin/$tool"; done
