#!/bin/sh
# test: timeout=60 needs=openssl
# openssl: digests, ciphers both ways, keys, signatures, a certificate, random bytes by length.
set -e
seq 1 50000 > data
openssl dgst -sha256 data
openssl dgst -sha3-512 -hmac key data
openssl enc -aes-256-cbc -pbkdf2 -pass pass:secret -in data -out enc
openssl enc -d -aes-256-cbc -pbkdf2 -pass pass:secret -in enc | cmp - data && echo decrypted
openssl enc -aes-128-ctr -K 000102030405060708090a0b0c0d0e0f -iv 00 -in data 2> /dev/null | openssl dgst -md5
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem 2> /dev/null
openssl pkey -in key.pem -pubout -out pub.pem
openssl dgst -sha256 -sign key.pem -out sig data
openssl dgst -sha256 -verify pub.pem -signature sig data
openssl req -new -x509 -key key.pem -subj /CN=test.example -days 10 -out cert.pem
openssl x509 -in cert.pem -noout -subject
openssl verify -CAfile cert.pem cert.pem
openssl rand 1000 | wc -c
openssl genrsa -out rsa.pem 1024 2> /dev/null
openssl rsa -in rsa.pem -check -noout 2>&1
openssl prime 1000003
