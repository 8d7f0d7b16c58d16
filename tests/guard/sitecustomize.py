"""Refuse and record every network look-up that leaves this machine, in each Python that finds this on its path.

The tests put this folder on ``PYTHONPATH``, so that kernels and other children are guarded like pytest itself.
Records go to the file named by ``RETAILKIT_LOOKUPS``: a library may swallow the error, the record stays.
"""

import ipaddress
import os
import socket
import sys
import traceback
from typing import Any

LOOKUPS = "RETAILKIT_LOOKUPS"
_real: dict[str, Any] = {}


def is_local(host: Any) -> bool:
    """Whether an address is this machine; names under .invalid are refused but are nobody's (RFC 2606)."""
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if host in (None, "", "localhost", "0.0.0.0", "::", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse(call: str, host: Any) -> None:
    """Record the look-up with the line that made it, and raise as an unplugged network does."""
    if not str(host).endswith(".invalid") and os.environ.get(LOOKUPS):
        lines = [f"{f.filename}:{f.lineno}" for f in traceback.extract_stack() if "sitecustomize" not in f.filename]
        with open(os.environ[LOOKUPS], "a", encoding="utf-8") as file:
            file.write(f"{call}({host!r}) from {' < '.join(reversed(lines[-6:]))}\n")
    raise socket.gaierror(socket.EAI_NONAME, f"the tests have no network: {call}({host!r})")


def _guarded_lookup(name: str) -> Any:
    def lookup(host: Any, *arguments: Any, **options: Any) -> Any:
        if not is_local(host):
            refuse(name, host)
        return _real[name](host, *arguments, **options)

    return lookup


def _guarded_connect(name: str) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
            refuse(name, address[0])
        return _real[name](self, address)

    return connect


def close_sockets() -> None:
    """Put the guard in place; twice is once."""
    if _real:
        return
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        _real[name] = getattr(socket, name)
        setattr(socket, name, _guarded_lookup(name))
    for name in ("connect", "connect_ex"):
        _real[name] = getattr(socket.socket, name)
        setattr(socket.socket, name, _guarded_connect(name))


if LOOKUPS in os.environ or "pytest" in sys.modules:
    close_sockets()
