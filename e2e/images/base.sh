#!/usr/bin/env bash
# Makes chat4all/base, what the program images stand on where distroless cannot be pulled: the libraries and
# certificates of this machine's Debian, one user, and nothing that can be run. Prints its reference.
. "$(dirname "$0")/../lib.sh"

packages=(libc6 libgcc-s1 libssl3 ca-certificates)
codename=$(debian_codename) image=chat4all/base:$(debian_codename)
content=$(stamp "$root/e2e/images/base.sh" "=$codename")
echo "$image"
exec >&2
have_image "$image" "$content" && exit
command -v apt-get >/dev/null || die "the base image is made from Debian packages; elsewhere use upstream images (CHAT4ALL_IMAGES=upstream)"

work=$(mktemp -d "$CACHE/base.XXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work"/{deb,root}
say "fetching ${packages[*]} for the base image"
fetch() { (cd "$work/deb" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}") >"$CACHE/logs/base.log" 2>&1; }
fetch || { apt-get update -qq >>"$CACHE/logs/base.log" 2>&1 && fetch; } || { tail -5 "$CACHE/logs/base.log" >&2; die "apt-get could not fetch them"; }
for deb in "$work"/deb/*.deb; do
  dpkg-deb -x "$deb" "$work/root"
  # Vulnerability scanners read here, as in distroless images, what is inside.
  name=$(dpkg-deb -f "$deb" Package)
  mkdir -p "$work/root/var/lib/dpkg/status.d"
  dpkg-deb -f "$deb" >"$work/root/var/lib/dpkg/status.d/$name"
done
cd "$work/root"
mkdir -p etc/ssl/certs home/nonroot tmp
cat usr/share/ca-certificates/mozilla/*.crt >etc/ssl/certs/ca-certificates.crt
# No programs, conversion tables, locales or manuals; the licences stay.
rm -rf usr/sbin usr/bin sbin usr/share/{man,locale,lintian,ca-certificates} usr/lib/*/{gconv,engines-3,ossl-modules/legacy.so}
find usr/share/doc -type f ! -name copyright -delete
cp /etc/os-release etc/os-release
printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >etc/passwd
printf 'root:x:0:\nnonroot:x:65532:\n' >etc/group
printf 'hosts: files dns\n' >etc/nsswitch.conf
chmod 1777 tmp
tar --owner=0 --group=0 -c . | docker import --change 'USER 65532:65532' --change 'WORKDIR /home/nonroot' \
  --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' --change "LABEL $label=$content" - "$image" >/dev/null
keep_image "$image" "$content"
