#!/usr/bin/env bash
# Makes chat4all/kafka and chat4all/cassandra from Maven artifacts on a JRE of Debian packages, or pulls the
# upstream images where that is decided. Prints nothing new when Docker or the cache folder has them already.
. "$(dirname "$0")/../lib.sh"
. "$root/e2e/images/engines.env"

[ -n "${IMAGES:=${CHAT4ALL_IMAGES:-}}" ] || decide_images
if [ "$IMAGES" = upstream ]; then
  for image in "$KAFKA_UPSTREAM" "$CASSANDRA_UPSTREAM"; do
    docker image inspect "$image" >/dev/null 2>&1 || { say "pulling $image"; docker pull -q "$image" >/dev/null; }
  done
  exit
fi

here=$root/e2e/images work=$CACHE/engines codename=$(debian_codename)
packages=openjdk-17-jre-headless,tini
mkdir -p "$work"

jre_image() {
  local image=chat4all/jre:17 content archive
  content=$(stamp "=$packages" "=$codename")
  image_has_stamp "$image" "$content" && return
  [ "$(id -u)" = 0 ] || die "making the engines' images takes root (a Debian root file system): sudo make images"
  need mmdebstrap:mmdebstrap
  archive=$work/jre-$content.tar
  if [ ! -s "$archive" ]; then
    say "fetching Debian packages for the JRE image"
    # Man pages stay: the JRE's postinst registers alternatives in their folders, and fails without.
    mmdebstrap --quiet --format=tar --variant=minbase --include=$packages \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
      "$codename" "$archive.tmp" "$(apt_sources)"
    mv "$archive.tmp" "$archive"
  fi
  docker import --change "LABEL $label=$content" "$archive" "$image" >/dev/null
}

# jars NAME GROUP:ARTIFACT:VERSION...: these and all they depend on, in $work/NAME.
jars() {
  local folder=$work/$1 pom=$work/$1.pom.xml artifact g a v
  shift
  [ ! -d "$folder" ] || return 0
  need mvn:maven
  {
    echo '<project><modelVersion>4.0.0</modelVersion><groupId>chat4all</groupId><artifactId>engine</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
    for artifact; do
      IFS=: read -r g a v <<<"$artifact"
      echo "<dependency><groupId>$g</groupId><artifactId>$a</artifactId><version>$v</version></dependency>"
    done
    echo '</dependencies></project>'
  } >"$pom"
  say "fetching $*"
  rm -rf "$folder.tmp"
  mvn -q -B -f "$pom" dependency:copy-dependencies -DoutputDirectory="$folder.tmp" >"$CACHE/logs/mvn.log" 2>&1 \
    || { tail -5 "$CACHE/logs/mvn.log" >&2; die "Maven could not fetch $*"; }
  mv "$folder.tmp" "$folder"
}

engine() { # NAME VERSION GROUP:ARTIFACT:VERSION...
  local name=$1 version=$2 image=chat4all/$1:$2 content context
  shift 2
  content=$(stamp "$here/$name" "$here/engines.Dockerfile" "=$packages $codename" "=$*")
  have_image "$image" "$content" && return
  jre_image
  jars "$name-$version" "$@"
  say "building $image"
  context=$(mktemp -d "$work/context.XXXX")
  cp -rl "$work/$name-$version" "$context/lib"
  cp -r "$here/$name" "$context/files"
  docker_build -f "$here/engines.Dockerfile" -t "$image" --build-arg BASE=chat4all/jre:17 --build-arg "ENGINE=$name" \
    --build-arg "VERSION=$version" --build-arg "CONTENT=$content" "$context"
  rm -rf "$context"
  keep_image "$image" "$content"
}

engine kafka "$KAFKA" "org.apache.kafka:kafka_2.13:$KAFKA" "org.apache.kafka:kafka-tools:$KAFKA" \
  org.apache.logging.log4j:log4j-slf4j-impl:2.24.3
engine cassandra "$CASSANDRA" "org.apache.cassandra:cassandra-all:$CASSANDRA"
