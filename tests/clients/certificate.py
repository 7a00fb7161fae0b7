"""Writes a certificate for 127.0.0.1 that a new authority of its own has signed: ca.pem, server.pem and server.key.

usage: certificate.py FOLDER
"""
import datetime
import ipaddress
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM
NOW = datetime.datetime.now(datetime.timezone.utc)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, issuer, key):
    builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
    builder = builder.not_valid_before(NOW - datetime.timedelta(days=1)).not_valid_after(NOW + datetime.timedelta(days=1))
    return builder.serial_number(x509.random_serial_number())


folder = pathlib.Path(sys.argv[1])
ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
ca = certificate("tests", "tests", ca_key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
server = certificate("server", "tests", key)
server = server.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
server = server.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
server = server.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
folder.joinpath("ca.pem").write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(PEM))
folder.joinpath("server.pem").write_bytes(server.sign(ca_key, hashes.SHA256()).public_bytes(PEM))
plain = serialization.NoEncryption()
folder.joinpath("server.key").write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain))
