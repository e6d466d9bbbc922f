#!/bin/sh
# test: timeout=60 needs=openssl layouts
# openssl: digests, ciphers both ways, keys, signatures, a certificate.
# Keys, salts and signatures are fixed, so that all of the output is compared (openssl_random.sh draws them); the key of the certificate
# was thrown away.
set -e
seq 1 50000 > data
openssl dgst -sha256 data
openssl dgst -sha3-512 -hmac key data
openssl enc -aes-256-cbc -pbkdf2 -S 0123456789abcdef -pass pass:secret -in data -out enc
openssl dgst -sha256 enc
openssl enc -d -aes-256-cbc -pbkdf2 -S 0123456789abcdef -pass pass:secret -in enc | cmp - data && echo decrypted
openssl enc -aes-128-ctr -K 000102030405060708090a0b0c0d0e0f -iv 00 -in data 2> /dev/null | openssl dgst -md5
openssl base64 -in data -out data.b64
openssl base64 -d -in data.b64 | cmp - data && echo decoded
cat > cert.pem << 'END'
-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgIUFyXKhgGtcPZPQeT0HCC233mFNPYwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMdGVzdC5leGFtcGxlMCAXDTI2MTEyMzA2MTA0M1oYDzIxMjYx
MDMwMDYxMDQzWjAXMRUwEwYDVQQDDAx0ZXN0LmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAARPxdL92CQmSTgJGaMLQKmuurIOdSh0Wgo82ApiG/mMSQt8
fyGJNQ+wtNO+OWP9gqJLPABdl6ufxm7TV1Jrv3D8o1MwUTAdBgNVHQ4EFgQU9LFh
oJIfkp58o6gGzql43/ar+hkwHwYDVR0jBBgwFoAU9LFhoJIfkp58o6gGzql43/ar
+hkwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBoIe+avd2Yk9Iz
O0p2yHk60qkk/YqXUx7HLoH/eKYV6AIhAOJM2eDkVy8CQNDuWDi1mKkWf+jOK9cH
TMUCofBL0mTF
-----END CERTIFICATE-----
END
openssl base64 -d > sig << 'END'
MEUCIQCN5JBp47JgTOki77woqw1RcpFO4ElL09x48QRQ6T0dGgIgX/I2jJ/AOZ14
MSi+fElvGaJnKNg9wNUbdiQqNkDvkBc=
END
openssl x509 -in cert.pem -noout -pubkey > pub.pem
openssl dgst -sha256 -verify pub.pem -signature sig data
openssl dgst -sha256 -verify pub.pem -signature sig enc 2> /dev/null || echo "status $?"
openssl x509 -in cert.pem -noout -subject -dates -fingerprint -sha256
openssl verify -attime 2000000000 -CAfile cert.pem cert.pem
# Signatures with Ed25519 take no random number.
cat > ed.pem << 'END'
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAEkLbSbtj9zoXy8jKAZfizILKlrhP1sZU72k+Mmt4Ep
-----END PRIVATE KEY-----
END
openssl pkey -in ed.pem -pubout -out edpub.pem
openssl pkeyutl -sign -rawin -inkey ed.pem -in data -out edsig
openssl base64 -in edsig
openssl pkeyutl -verify -rawin -pubin -inkey edpub.pem -sigfile edsig -in data
