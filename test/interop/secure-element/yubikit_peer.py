"""Drives a card over standard input and output with Yubico's yubikit: one hexadecimal APDU a line each way.

The card's issuer keys have version 0x30; the first argument names the scenario. Prints "done" at the end.
"""

import sys
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from yubikit.core import TRANSPORT, Tlv
from yubikit.core.smartcard import ApduError, SmartCardConnection
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, Scp11KeyParams, ScpKid, StaticKeys
from yubikit.securitydomain import SecurityDomainSession

ISSUER = StaticKeys(*(bytes([n]) * 16 for n in (0x41, 0x42, 0x43)))
NEXT = StaticKeys(*(bytes([n]) * 16 for n in (0x51, 0x52, 0x53)))


class PipeConnection(SmartCardConnection):
    transport = TRANSPORT.USB

    def send_and_receive(self, apdu):
        print(apdu.hex(), flush=True)
        response = bytes.fromhex(sys.stdin.readline().strip())
        return response[:-2], int.from_bytes(response[-2:], "big")

    def close(self):
        pass


def keys_of(session):
    # YubiKeys answer GET DATA without the tag of the object; cards with class 80 semantics, as ours, with it.
    entries = Tlv.parse_list(Tlv.unpack(0xE0, session.get_data(0x00E0)))
    return [KeyRef(Tlv.unpack(0xC0, entry)[:2]) for entry in entries]


def certificate(subject_key, issuer_key, name, issuer, authority=False):
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(subject_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def scp03():
    session = SecurityDomainSession(PipeConnection())
    session.authenticate(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), ISSUER))
    assert KeyRef(1, 0x30) in keys_of(session)
    assert Tlv.unpack(0x66, session.get_data(0x0066))
    session.put_key(KeyRef(ScpKid.SCP03, 0x31), NEXT, replace_kvn=0x30)
    assert KeyRef(1, 0x31) in keys_of(session)
    session = SecurityDomainSession(PipeConnection())
    try:
        session.authenticate(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), ISSUER))
        raise AssertionError("the old keys still work")
    except ValueError as error:
        assert error.__context__.sw == 0x6A88
    session.authenticate(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x31), NEXT))


def scp11(kid):
    card_key = ec.generate_private_key(ec.SECP256R1())
    root = ec.generate_private_key(ec.SECP256R1())
    middle = ec.generate_private_key(ec.SECP256R1())
    host = ec.generate_private_key(ec.SECP256R1())
    ref, oce = KeyRef(kid, 0x03), KeyRef(0x10, 0x03)
    session = SecurityDomainSession(PipeConnection())
    session.authenticate(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), ISSUER))
    session.put_key(ref, card_key)
    session.put_key(oce, root.public_key())
    chain = [
        certificate(middle.public_key(), root, "middle", "root", authority=True),
        certificate(host.public_key(), middle, "host", "middle"),
    ]
    session.store_certificate_bundle(ref, chain)
    session = SecurityDomainSession(PipeConnection())
    assert session.get_certificate_bundle(ref) == chain
    anonymous = kid == ScpKid.SCP11b
    params = (
        Scp11KeyParams(ref, card_key.public_key())
        if anonymous
        else Scp11KeyParams(ref, card_key.public_key(), oce, host, chain)
    )
    session.authenticate(params)
    assert ref in keys_of(session)
    try:
        session.put_key(KeyRef(ScpKid.SCP03, 0x32), NEXT)
        assert not anonymous, "an anonymous host manages keys"
    except ApduError as error:
        assert anonymous and error.sw == 0x6982, hex(error.sw)


SCENARIOS = {
    "scp03": scp03,
    "scp11a": lambda: scp11(ScpKid.SCP11a),
    "scp11b": lambda: scp11(ScpKid.SCP11b),
    "scp11c": lambda: scp11(ScpKid.SCP11c),
}

SCENARIOS[sys.argv[1]]()
print("done", flush=True)
