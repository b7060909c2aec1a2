#!/bin/sh
# Makes what compose.yaml takes from files, in the folder of this script: the secrets, and the settings of nginx and Prometheus
# out of deploy/nginx and deploy/prometheus. As root, because each secret belongs to the user of its container.
#
#   prepare.sh NAME <passphrase
#
# NAME is the name in the currency's URL. The passphrase of the private keys is read from the first line of standard input.
# secrets/fullchain.pem and secrets/privkey.pem, the certificate of NAME and its key, must be there. What was made before is
# kept: run again after a change of NAME or of deploy/nginx, or with a new certificate.
set -eu
umask 077

if [ $# -ne 1 ]; then
    echo "usage: $0 NAME <passphrase" >&2
    exit 2
fi
name=$1
case $name in
    *[!0-9A-Za-z.-]* | '')
        echo "$0: $name is not a host name" >&2
        exit 2
        ;;
esac
cd "$(dirname "$0")"
mkdir -p secrets
for file in fullchain.pem privkey.pem; do
    if [ ! -s "secrets/$file" ]; then
        echo "$0: secrets/$file is missing: the certificate of $name and its private key, in PEM" >&2
        exit 1
    fi
done

# new FILE: writes standard input there, as a whole or not at all.
new() {
    cat >"$1.new"
    mv "$1.new" "$1"
}

if [ ! -s secrets/passphrase ]; then
    IFS= read -r passphrase || true
    if [ -z "${passphrase:-}" ]; then
        echo "$0: the passphrase of the private keys is the first line of standard input" >&2
        exit 1
    fi
    printf '%s\n' "$passphrase" | new secrets/passphrase
fi
for file in postgresql grafana; do
    [ -s "secrets/$file" ] || head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' | new "secrets/$file"
done
printf 'postgresql:5432:opencoin:opencoin:%s\n' "$(cat secrets/postgresql)" | new secrets/pgpass
chmod 0400 secrets/*
# The users of the images: opencoin, postgres, grafana; nginx opens its certificate as root.
chown 10001:10001 secrets/passphrase secrets/pgpass
chown 999:999 secrets/postgresql
chown 472:472 secrets/grafana
chown 0:0 secrets/fullchain.pem secrets/privkey.pem

sed -e "s/opencoin\.example/$name/" -e '/listen \[::\]/d' \
    -e 's/127\.0\.0\.1:8080/172.30.117.11:8080/' -e 's/127\.0\.0\.1:8081/172.30.117.12:8080/' \
    -e 's,/etc/ssl/opencoin/fullchain\.pem,/run/secrets/tls_certificate,' -e 's,/etc/ssl/opencoin/privkey\.pem,/run/secrets/tls_key,' \
    -e 's,/var/log/nginx/opencoin_error\.log,stderr,' -e 's/ *# CHANGE.*//' ../nginx/opencoin.conf | new nginx.conf
sed -e 's/127\.0\.0\.1:9464/172.30.117.11:9464/' -e 's/127\.0\.0\.1:9465/172.30.117.12:9464/' ../prometheus/prometheus.yml | new prometheus.yml
# Prometheus is nobody, and these two are no secrets.
chmod 0644 nginx.conf prometheus.yml
echo "made in $(pwd): secrets, nginx.conf, prometheus.yml"
