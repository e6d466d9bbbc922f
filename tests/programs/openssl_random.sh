#!/bin/sh
# test: timeout=60 needs=openssl,python3
# What is drawn from OpenSSL's random generators: numbers, keys, salts, signatures, the hellos and keys of TLS; by a program that is
# linked with the library and by one that loads it later.  Printed is what does not depend on the numbers.
set -e
openssl rand 5000 > a
openssl rand 5000 > b
wc -c < a
cmp -s a b || echo different
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa.pem 2> /dev/null
openssl req -x509 -new -key ec.pem -subj /CN=localhost -days 2 -out cert.pem
openssl x509 -in cert.pem -noout -subject
for key in ec rsa; do
	openssl dgst -sha256 -sign $key.pem -out sig a
	openssl pkey -in $key.pem -pubout -out pub.pem
	openssl dgst -sha256 -verify pub.pem -signature sig a
done
openssl enc -aes-256-cbc -pbkdf2 -pass pass:secret -in a -out enc
openssl enc -d -aes-256-cbc -pbkdf2 -pass pass:secret -in enc | cmp - a && echo decrypted
python3 -B - << 'END'
import secrets, socket, ssl, threading
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain("cert.pem", "ec.pem")
client = ssl.create_default_context(cafile="cert.pem")
a, b = socket.socketpair()

def serve():
    with server.wrap_socket(a, server_side=True) as s:
        s.sendall(b"you said " + s.recv(100))

t = threading.Thread(target=serve)
t.start()
with client.wrap_socket(b, server_hostname="localhost") as s:
    s.sendall(b"hello")
    print(s.recv(100), s.version())
t.join()
print(len(ssl.RAND_bytes(300)), len(secrets.token_bytes(10)))
END
