"""An endpoint's certificate is its host's, wherever that lives."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bus.messages import now
from shop.webhooks.post import Post
from tests.listening import let_go
from tests.shop.webhooks.test_post import brought, leading


def certified(folder: Path, *names: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself and these names, and the file with its key too."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    known = [
        x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        for name in names
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(hours=1))
        .not_valid_after(now() + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(known), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    trusted, both = folder / "trusted.pem", folder / "both.pem"
    trusted.write_bytes(public)
    both.write_bytes(public + private)
    return trusted, both


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("names", "host", "trusting", "taken"),
    [
        (["hooks.test"], "hooks.test", True, True),
        (["127.0.0.1"], "127.0.0.1", True, True),
        (["other.test", "127.0.0.1"], "hooks.test", True, False),
        (["hooks.test"], "hooks.test", False, False),
    ],
)
async def test_the_certificate_must_be_the_hosts_wherever_it_lives(
    names: list[str],
    host: str,
    trusting: bool,
    taken: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusted, both = certified(tmp_path, *names)
    if trusting:
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    leading(monkeypatch, ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    server = await asyncio.start_server(answers, "127.0.0.1", 0, ssl=context)
    post = Post(httpx.create_ssl_context(), allow_private=True)
    try:
        port = server.sockets[0].getsockname()[1]
        answer = await brought(post, f"https://{host}:{port}/hook")
    finally:
        await post.close()
        server.close()
        await let_go(server)
    assert answer.taken is taken, answer
    assert taken or "CERTIFICATE_VERIFY_FAILED" in (answer.error or "")
