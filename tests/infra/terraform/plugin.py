"""Speaks go-plugin's handshake: a gRPC server on a socket of its own, its address and certificate in one line.

Terraform starts the program, reads `1|6|unix|SOCKET|grpc|CERTIFICATE` from its output, trusts that certificate alone,
and ends it by the call `plugin.GRPCController/Shutdown`.
"""

from __future__ import annotations

import base64
import datetime
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.infra.terraform.protocol import Empty

# method: (request's message, answer's message, function)
Methods = Mapping[str, tuple[Any, Any, Callable[[Any], Any]]]


def serve(service: str, methods: Methods) -> None:
    """Answer until Terraform says that it is done."""
    done = threading.Event()

    def shut_down(_: Empty) -> Empty:
        done.set()
        return Empty()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers(
        (
            _handler(service, methods),
            _handler("plugin.GRPCController", {"Shutdown": (Empty, Empty, shut_down)}),
        )
    )
    key, certificate = _identity()
    with tempfile.TemporaryDirectory(prefix="tf-") as folder:
        socket = f"{folder}/socket"
        server.add_secure_port(
            f"unix:{socket}",
            grpc.ssl_server_credentials([(key, certificate.public_bytes(serialization.Encoding.PEM))]),
        )
        server.start()
        der = certificate.public_bytes(serialization.Encoding.DER)
        print(f"1|6|unix|{socket}|grpc|{base64.b64encode(der).decode().rstrip('=')}", flush=True)
        done.wait()
        server.stop(grace=1).wait()


def _handler(service: str, methods: Methods) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        service,
        {
            name: grpc.unary_unary_rpc_method_handler(
                lambda request, _, answer=answer: answer(request),
                request_deserializer=asks.deserialize,
                response_serializer=says.serialize,
            )
            for name, (asks, says, answer) in methods.items()
        },
    )


def _identity() -> tuple[bytes, x509.Certificate]:
    """A key (PEM) and its self-signed certificate for "localhost", the name that go-plugin expects."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, certificate
