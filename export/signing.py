"""ECDSA P-256 / SHA-256 over the bytes of bundle.json, in the forms that CryptoKit and java.security read as they are."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from textedit_core.errors import UserError


def load_private_key(path: Path) -> Any:
    """Reads an unencrypted PEM private key on the P-256 curve.

    Raises:
        UserError: unreadable, not PEM, encrypted, or on another curve.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"cannot read the signing key {str(path)!r}: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UserError(f"signing key {str(path)!r} is not an EC key on P-256; make one with `openssl ecparam -genkey -name prime256v1`")
    return key


def public_key_base64(private_key: Any) -> str:
    """The public half as base64 of DER SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return base64.b64encode(private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def sign(private_key: Any, message: bytes) -> bytes:
    """DER signature with the nonce of RFC 6979, so that signing the same bytes twice gives the same signature."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    return private_key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def load_public_key(path: Path) -> str:
    """Reads a PEM public key and returns it as base64 of DER SubjectPublicKeyInfo.

    Raises:
        UserError: unreadable or not a PEM public key.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the public key {str(path)!r}: {error}") from None
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def check_signature(public_key: str, message: bytes, signature: bytes, source: str) -> None:
    """Verifies a DER signature against a base64 DER public key.

    Raises:
        UserError: the key is not P-256 or the signature is not of these bytes by this key.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise UserError(f"{source}: the public key is not an EC key on P-256")
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UserError(f"{source}: the public key cannot be read: {error}") from None
    except InvalidSignature:
        raise UserError(f"{source} is not a signature of bundle.json by its key; the bundle was changed after signing") from None
