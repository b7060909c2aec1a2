#!/bin/sh
# Installs a package, makes a currency and serves it as the unit does, removes the package, purges it. As root, on a machine
# that does not have it and on which nothing is to be kept of it: `cargo xtask deb --check`.
#
#   check.sh PACKAGE.deb
set -eu

package=$1
home=/var/lib/opencoin-issuer
witness=/var/lib/opencoin-witness
auditor=/var/lib/opencoin-auditor
currency=$home/currency
server=
log=$(mktemp)

fail() {
    echo "$0: $*" >&2
    exit 1
}

# A machine in use is left alone.
if dpkg-query --status opencoin >/dev/null 2>&1 || [ -e "$home" ] || [ -e "$witness" ] || [ -e "$auditor" ] || [ -e /etc/opencoin ] || id opencoin >/dev/null 2>&1; then
    fail "opencoin is or was installed on this machine; try it on another"
fi
clean() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    dpkg --purge opencoin >/dev/null 2>&1 || true
    rm -rf "$home" "$witness" "$auditor" /etc/opencoin "$log"
    userdel opencoin 2>/dev/null || true
    userdel opencoin-witness 2>/dev/null || true
    userdel opencoin-auditor 2>/dev/null || true
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# This shell and what it starts have nobody to ask.
export DEBIAN_FRONTEND=noninteractive
dpkg --install "$package"
[ "$(stat -c '%U:%G %a' $home)" = "opencoin:opencoin 700" ] || fail "$home: $(stat -c '%U:%G %a' $home)"
[ "$(stat -c '%U:%G %a' $witness)" = "opencoin-witness:opencoin-witness 700" ] || fail "$witness: $(stat -c '%U:%G %a' $witness)"
[ "$(stat -c '%U:%G %a' $auditor)" = "opencoin-auditor:opencoin-auditor 700" ] || fail "$auditor: $(stat -c '%U:%G %a' $auditor)"
opencoin --version
for unit in opencoin-issuer.service opencoin-issuer@1.service opencoin-signer.service opencoin-witness.service opencoin-auditor.service opencoin-keys.timer opencoin-backup.timer; do
    systemd-analyze verify "$unit"
done
[ "$(cat /etc/opencoin/issuer-2.env)" ] || fail "no settings"
zcat -f /usr/share/man/man1/opencoin-issuer-serve.1* | grep -q listen || fail "no manual"
bash -n /usr/share/bash-completion/completions/opencoin

# Runs a command as the user of the service, in the place of the shell that calls it.
become_service() {
    export OPENCOIN_PASSPHRASE=of-a-test OPENCOIN_MASTER_PASSPHRASE=of-a-test
    exec setpriv --reuid=opencoin --regid=opencoin --init-groups "$@"
}
as_service() {
    (become_service "$@")
}
as_service opencoin issuer init --dir $currency --name OpenCent --divisor 100 --denominations 1,2,5 --url http://127.0.0.1:18080 \
    --listen 127.0.0.1:18080
# The words of ExecStart; systemd may not run here.
command=$(systemctl cat --no-pager opencoin-issuer.service 2>/dev/null || cat /usr/lib/systemd/system/opencoin-issuer.service)
command=$(echo "$command" | sed -n 's/^ExecStart=//p')
# shellcheck disable=SC2086 # words, not a file name
(become_service $command) >"$log" 2>&1 &
server=$!
health='exec 3<>/dev/tcp/127.0.0.1/18080 && printf "GET /health/ready HTTP/1.0\r\n\r\n" >&3 && head -n 1 <&3 | grep -q " 200 "'
tries=0
until bash -c "$health" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 150 ] || fail "the server is not ready: $(cat "$log")"
    kill -0 $server || fail "the server has ended: $(cat "$log")"
    sleep 0.2
done
as_service opencoin issuer audit --dir $currency
setpriv --reuid=opencoin-witness --regid=opencoin-witness --init-groups env OPENCOIN_WITNESS_PASSPHRASE=of-a-test \
    opencoin witness init --dir $witness/witness --name witness.example/w1
setpriv --reuid=opencoin-auditor --regid=opencoin-auditor --init-groups env OPENCOIN_AUDITOR_PASSPHRASE=of-a-test \
    opencoin auditor init --dir $auditor/auditor --name auditor.example/a1
kill -TERM $server
wait $server || fail "the server did not stop as it should: $(cat "$log")"
server=

dpkg --remove opencoin
[ ! -e /usr/bin/opencoin ] || fail "the program is still there"
if [ ! -e /etc/opencoin/issuer-1.env ] || [ ! -d $currency ]; then
    fail "removing has taken settings or the currency"
fi
dpkg --purge opencoin
[ ! -e /etc/opencoin ] || fail "settings are left: $(ls /etc/opencoin)"
[ -d $currency ] || fail "purging has taken the currency"
[ -d $witness/witness ] || fail "purging has taken the witness"
[ -d $auditor/auditor ] || fail "purging has taken the auditor"
echo "installed, served, removed and purged: $package"
