#!/bin/bash
# Build the Debian package: one .deb that sets up what systemd/install.sh sets up.
#
# usage: systemd/build-deb.sh OUT [WHEELS]
#   OUT     folder for smearscope_VERSION_ARCH.deb
#   WHEELS  folder made by systemd/wheels.sh: all of it goes into the package, which then installs without a network and only
#           on the Python and machine the wheels were made for; without it the package fetches its pins when it is installed
set -euo pipefail
umask 022
here=$(dirname "$(realpath "$0")")
project=$(dirname "$here")
mkdir -p "${1:?usage: systemd/build-deb.sh OUT [WHEELS]}"
out=$(realpath "$1")
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 755 "$stage"
root=$stage/root
lib=$root/usr/lib/smearscope
share=$root/usr/share/smearscope

install -d "$lib" "$share/requirements" "$share/wheels" "$root/usr/bin" "$root/DEBIAN" "$root/usr/share/doc/smearscope"
if [ -n "${2:-}" ]; then
  cp "$2"/*.whl "$share/wheels/"
  machine=$(find "$share/wheels" -name 'numpy-*' | sed 's/.*_\(x86_64\|aarch64\)\.whl$/\1/')
  case $machine in
    x86_64) arch=amd64 ;;
    aarch64) arch=arm64 ;;
    *) echo "deb: cannot tell the machine of the wheels in $2; make them with systemd/wheels.sh" >&2; exit 1 ;;
  esac
  python=$(find "$share/wheels" -name 'numpy-*' | sed 's/.*-cp3\([0-9]*\)-.*/3.\1/')
  depends="python3 (>= $python), python3 (<< 3.$((${python#3.} + 1)))"
  compression=none # wheels are compressed
else
  "$here/wheels.sh" "$stage/wheels"
  cp "$stage/wheels"/smearscope-*.whl "$share/wheels/"
  arch=all
  depends="python3 (>= 3.11)"
  compression=xz
fi
version=$(basename "$share"/wheels/smearscope-*.whl | cut -d- -f2)

install -m 755 "$here/make-venv.sh" "$here/activate.sh" "$lib/"
for set in build device screen sign web; do
  install -m 644 "$project/requirements/$set.txt" "$share/requirements/"
done
cat > "$root/usr/share/doc/smearscope/copyright" <<COPYRIGHT
Copyright: the Smearscope authors
License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.
COPYRIGHT
install -m 644 "$here/README.md" "$root/usr/share/doc/smearscope/README.md"
install -D -m 644 -t "$root/usr/lib/systemd/system" "$here"/smearscope.service "$here"/smearscope-fault.service \
  "$here"/smearscope-retry.timer "$here"/smearscope-web.service
install -D -m 644 "$here/smearscope.sysusers" "$root/usr/lib/sysusers.d/smearscope.conf"
install -D -m 644 "$here/smearscope.tmpfiles" "$root/usr/lib/tmpfiles.d/smearscope.conf"
install -D -m 644 "$here/70-smearscope.rules" "$root/usr/lib/udev/rules.d/70-smearscope.rules"
install -D -m 644 -t "$root/usr/share/polkit-1/rules.d" "$here/50-smearscope-power.rules"
ln -s /opt/smearscope/current/bin/smearscope "$root/usr/bin/smearscope"
for script in preinst postinst prerm postrm; do
  install -m 755 "$here/debian/$script" "$root/DEBIAN/$script"
done
install -m 644 "$here/debian/triggers" "$root/DEBIAN/triggers"

cat > "$root/DEBIAN/control" <<CONTROL
Package: smearscope
Version: $version
Architecture: $arch
Maintainer: The Smearscope authors <authors@smearscope.invalid>
Section: science
Priority: optional
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Depends: $depends, python3-venv, systemd (>= 252), udev
Recommends: fonts-noto-cjk, fonts-noto-core, python3-picamera2, libegl1, libgbm1, libgl1-mesa-dri, libgles2
Description: white cells in stained blood smears, beside the microscope
 Segments white cells in the field under the microscope, says which of four
 classes the field resembles, and keeps a record.
 .
 Research use only: not a medical device.
CONTROL
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum > DEBIAN/md5sums)

# The same commit gives the same package.
SOURCE_DATE_EPOCH=$(git -C "$project" log -1 --format=%ct)
export SOURCE_DATE_EPOCH
rm -f "$out"/smearscope_*.deb
dpkg-deb --root-owner-group -Z$compression --build "$root" "$out" >/dev/null
echo "$out/smearscope_${version}_$arch.deb"
