#!/bin/bash
# Make the system know the files that the installer or the package laid down. usage: activate.sh /etc|/usr/lib yes|no|restart
#   yes: enable and start; no: enable; restart: start again if it runs (upgrade of the package)
set -euo pipefail
systemd-sysusers "$1/sysusers.d/smearscope.conf"
systemd-tmpfiles --create "$1/tmpfiles.d/smearscope.conf"
[ "$2" = restart ] || systemctl --quiet enable smearscope.service
# Neither a chroot nor an image being built has a running systemd: the next boot does the rest.
[ -d /run/systemd/system ] || exit 0
if udevadm control --reload 2>/dev/null; then # there is no udev in a container
  udevadm trigger --subsystem-match=dma_heap --subsystem-match=usb --subsystem-match=input --subsystem-match=backlight
fi
systemctl daemon-reload
case $2 in
  # --no-block: the first field may need a camera that nobody has plugged in yet.
  yes) systemctl restart --no-block smearscope.service ;;
  restart) systemctl try-restart --no-block smearscope.service ;;
esac
