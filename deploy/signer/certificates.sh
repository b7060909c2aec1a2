#!/bin/sh
# Makes the certificates with which an issuer and its signer know each other over TCP: an authority that is theirs alone, one
# certificate for the signer, one for the server that asks it. Needs openssl 3.
#
#   certificates.sh FOLDER SIGNER_NAME [DAYS]
#
# SIGNER_NAME is the host name or IP address under which the server reaches the signer. DAYS (default 825) is how long the two
# certificates are valid; the authority's own is valid for ten years. Run again with the same folder, it keeps the authority and makes
# new certificates: copy them as below and restart both.
#
# Copy to the signer's machine:   authority.pem signer.pem signer.key
# Copy to the server's machine:   authority.pem server.pem server.key
# Keep authority.key away from both, offline: who has it can be either of them.
set -eu
umask 077

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    echo "usage: $0 FOLDER SIGNER_NAME [DAYS]" >&2
    exit 2
fi
folder=$1
signer_name=$2
days=${3:-825}
authority_days=3650

case $signer_name in
    *[!0-9A-Za-z.:-]* | '')
        echo "$0: $signer_name is neither a host name nor an IP address" >&2
        exit 2
        ;;
    *:*) subject="IP:$signer_name" ;;
    *[!0-9.]*) subject="DNS:$signer_name" ;;
    *) subject="IP:$signer_name" ;;
esac

mkdir -p "$folder"
cd "$folder"
config=$(mktemp)
trap 'rm -f "$config" ./*.new' EXIT
cat >"$config" <<EOF
[req]
prompt = no
distinguished_name = name
[name]
CN = \${ENV::COMMON_NAME}
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $subject
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = DNS:opencoin-server
EOF

# certificate NAME COMMON_NAME DAYS [openssl's options for the one who signs it]
certificate() {
    name=$1
    COMMON_NAME=$2
    valid=$3
    shift 3
    export COMMON_NAME
    openssl req -x509 -config "$config" -extensions "$name" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha256 -noenc \
        -days "$valid" -keyout "$name.key.new" -out "$name.pem.new" "$@" 2>/dev/null || {
        echo "$0: openssl could not make $name.pem; it must be openssl 3 (this is: $(openssl version))" >&2
        exit 1
    }
    mv "$name.key.new" "$name.key"
    mv "$name.pem.new" "$name.pem"
    chmod 644 "$name.pem"
}

if [ ! -e authority.pem ]; then
    certificate authority "OpenCoin signer authority" "$authority_days"
elif [ ! -e authority.key ]; then
    echo "$0: $folder has authority.pem but not authority.key: put it back, or begin in another folder" >&2
    exit 1
fi
certificate signer "OpenCoin signer" "$days" -CA authority.pem -CAkey authority.key
certificate server "OpenCoin server" "$days" -CA authority.pem -CAkey authority.key
echo "made in $folder: signer.pem signer.key server.pem server.key, signed by authority.pem"
