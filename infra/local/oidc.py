"""Who signs the ID tokens of the local cloud: an RSA key of the home, in the place of Google's."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt

ISSUER = "https://accounts.google.com"
LIFETIME = 3600  # seconds, as Google's ID tokens


class Signer:
    """Makes Google-shaped ID tokens with the key in `folder`, which is made on first use and never leaves it."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clock = clock
        private_key = folder / "private_key.pem"
        if not private_key.exists():
            _write_private(private_key, _new_key())
        pem = private_key.read_bytes()
        self.public_key = folder / "public_key.pem"
        # Derived every time: a home whose two files disagree would refuse every token with no visible reason.
        _write_public(self.public_key, pem)
        self._signer = crypt.RSASigner.from_string(pem, key_id="belfry-local")  # type: ignore[no-untyped-call]
        self._cached: dict[tuple[str, str], tuple[float, str]] = {}

    def token(self, audience: str, email: str) -> str:
        """An RS256 ID token for `audience` that says its bearer is the service account `email`; good for an hour."""
        now = self._clock()
        made_at, cached = self._cached.get((audience, email), (0.0, ""))
        # A signature costs about a millisecond and a burst of pushes needs the same claims: reuse half the lifetime.
        if cached and 0 <= now - made_at < LIFETIME / 2:
            return cached
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "azp": email,
            "sub": email,
            "email": email,
            "email_verified": True,
            "iat": int(now),
            "exp": int(now) + LIFETIME,
        }
        token: str = jwt.encode(self._signer, claims).decode("ascii")  # type: ignore[no-untyped-call]
        self._cached[audience, email] = (now, token)
        return token


def _new_key() -> bytes:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_private(path: Path, pem: bytes) -> None:
    """Two processes may start on one home at once: the first link wins, and no half-written key is ever visible."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _write_public(path: Path, private_pem: bytes) -> None:
    key = serialization.load_pem_private_key(private_pem, password=None)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    if not path.exists() or path.read_bytes() != pem:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_bytes(pem)
        draft.replace(path)
