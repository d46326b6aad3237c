#!/bin/bash
# Remove what systemd/install.sh installed. Records and settings stay. Safe to run twice. usage: systemd/uninstall.sh
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "uninstall: must be root; run: sudo $0" >&2; exit 1; }
if [ -d /run/systemd/system ]; then
  systemctl stop smearscope-retry.timer smearscope-fault.service smearscope-web.service smearscope.service 2>/dev/null || true
fi
for unit in smearscope.service smearscope-web.service; do
  [ ! -e "/etc/systemd/system/$unit" ] || systemctl --quiet disable "$unit"
done
rm -f /etc/systemd/system/smearscope.service /etc/systemd/system/smearscope-fault.service \
  /etc/systemd/system/smearscope-retry.timer /etc/systemd/system/smearscope-web.service /etc/udev/rules.d/70-smearscope.rules \
  /etc/polkit-1/rules.d/50-smearscope-power.rules \
  /etc/sysusers.d/smearscope.conf /etc/tmpfiles.d/smearscope.conf
rm -rf /opt/smearscope /etc/systemd/system/smearscope-web.service.d /etc/avahi/services/smearscope.service
if [ -L /usr/local/bin/smearscope ]; then
  rm -f /usr/local/bin/smearscope
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
# The user stays as well: it owns the records, and its number must not go to someone else.
echo "removed. Kept: /var/lib/smearscope (records), /var/lib/smearscope-web (accounts), /etc/smearscope (settings), their users."
