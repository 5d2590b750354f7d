"""An engine that is killed, and one behind TLS. Both are a second `dockerd`, which needs root and some seconds."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.output_sink import Channel
from tests.engines.driving import run, spec_of
from tests.engines.scripted import BUSYBOX
from tests.engines.second_engine import second_engine

pytestmark = pytest.mark.docker


def test_an_engine_that_is_killed(
    docker_session: DockerEngine, labels: Mapping[str, str], engine_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the engine dies during a run, the end is an error; the next engine at its place finds everything that was left."""
    with closing(connect()[0]) as first, second_engine(BUSYBOX, first, engine_folder) as second:
        monkeypatch.setenv("DOCKER_HOST", second.url)
        engine = DockerEngine.connect()
        image = engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
        id_ = engine.create(spec_of(image, labels, "echo ready; sleep 1000"))

        def kill(channel: Channel, chunk: bytes) -> None:
            second.kill()

        with pytest.raises(EngineError, match="no answer from the engine"):
            engine.run(id_, b"", kill)
        second.start()
        left = [leftover.id for leftover in engine.leftovers()]
        engine.remove(id_)
        after = engine.leftovers()
        engine.close()

    assert left == [id_]
    assert after == []


def test_an_engine_behind_tls(
    docker_session: DockerEngine,
    labels: Mapping[str, str],
    engine_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over TLS, which has no half-closed connections, input ends and output arrives as on a local socket."""
    _write_certificates(tmp_path)
    host = f"127.0.0.1:{_free_port()}"
    options = [f"--host=tcp://{host}", "--tlsverify", f"--tlscacert={tmp_path}/ca.pem"]
    options += [f"--tlscert={tmp_path}/server.pem", f"--tlskey={tmp_path}/server-key.pem"]
    with closing(connect()[0]) as first, second_engine(BUSYBOX, first, engine_folder, *options):
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{host}")
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
        engine = DockerEngine.connect()
        image = engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)

        counted, output = run(engine, spec_of(image, labels, "wc -c; echo noise >&2; exit 3"), b"x" * 3_000_000)
        unread, _ = run(engine, spec_of(image, labels, "exit 4"), b"x" * 3_000_000)
        engine.close()

    assert (counted.exit_code, output.stdout, output.stderr) == (3, b"3000000\n", b"noise\n")
    assert unread.exit_code == 4


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _write_certificates(folder: Path) -> None:
    """`ca.pem`, the engine's `server.pem` and the client's `cert.pem`, each with its key."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("ca", ca_key, ca_key, None)
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    for file, key_file in (("server.pem", "server-key.pem"), ("cert.pem", "key.pem")):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(file, key, ca_key, ca)
        (folder / file).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        (folder / key_file).write_bytes(private)


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer_key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None
) -> x509.Certificate:
    """A certificate for loopback; without an issuer, it is an authority that signs itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        builder = builder.add_extension(usages, critical=False).add_extension(addresses, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
