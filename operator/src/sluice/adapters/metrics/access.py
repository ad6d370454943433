"""How does the operator show the metrics store who it is? By files of a mounted Secret, read anew when they rotate.

| file | what it holds |
|---|---|
| token | a bearer token |
| username, password | basic authentication |
| ca.crt | PEM: the authorities that signed the store's certificate, instead of the system's |
| tls.crt, tls.key | PEM: a client certificate and its key |
| headers.yaml | more headers, such as X-Scope-OrgID: a tenant |

All are optional. What they say is never logged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from sluice.ports import ProviderError

FILES: Final = ("token", "username", "password", "ca.crt", "tls.crt", "tls.key", "headers.yaml")

Stamp = tuple[tuple[str, int, int], ...]
"""(file, time of its last change in ns, inode) of those that are there."""


@dataclass(frozen=True, slots=True)
class Access:
    """What goes with each question. verify: True, or the path of a bundle. cert: paths of certificate and key."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    verify: bool | str = True
    cert: tuple[str, str] | None = None


def stamp(folder: Path | None) -> Stamp:
    """Changes whenever a file comes, goes or is written anew; empty without a folder."""
    found = []
    for name in FILES if folder else ():
        try:
            status = (folder / name).stat() if folder else None
        except OSError:
            continue
        if status is not None:
            found.append((name, status.st_mtime_ns, status.st_ino))
    return tuple(found)


def read(folder: Path | None) -> Access:
    """What the files say. Raises ProviderError, which names the file, for a pair that is not complete."""
    there = {name for name, *_ in stamp(folder)}
    if folder is None or not there:
        return Access()
    for one, other in (("username", "password"), ("tls.crt", "tls.key")):
        if (one in there) != (other in there):
            missing = other if one in there else one
            raise ProviderError(f"{folder / missing} is missing: {one} and {other} need each other")
    if {"token", "username"} <= there:
        raise ProviderError(f"{folder} holds token and username: only one of them can be sent; remove the other")
    headers = _headers(folder / "headers.yaml") if "headers.yaml" in there else {}
    if "token" in there:
        headers["Authorization"] = f"Bearer {_text(folder / 'token')}"
    return Access(
        headers=headers,
        auth=(_text(folder / "username"), _text(folder / "password")) if "username" in there else None,
        verify=str(folder / "ca.crt") if "ca.crt" in there else True,
        cert=(str(folder / "tls.crt"), str(folder / "tls.key")) if "tls.crt" in there else None,
    )


def _text(path: Path) -> str:
    """A value without the line break that editors add. What HTTP cannot carry is named by its file, never shown."""
    return _sendable(_content(path).strip(), path)


def _content(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ProviderError(f"{path} cannot be read: {type(error).__name__}") from None


def _sendable(value: str, path: Path) -> str:
    """HTTP headers are latin-1 without control characters (RFC 9110, 5.5)."""
    if not value.isprintable() or any(ord(letter) > 255 for letter in value):
        raise ProviderError(
            f"{path} holds characters that no HTTP header can carry (a line break inside, or no latin-1)"
        )
    return value


def _headers(path: Path) -> dict[str, str]:
    try:
        content: Any = yaml.safe_load(_content(path))
    except yaml.YAMLError:
        raise ProviderError(f"{path} is no YAML") from None  # whose words would quote the file
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ProviderError(f"{path} is no map of headers, such as `X-Scope-OrgID: team-a`")
    return {_sendable(key, path): _sendable(str(value), path) for key, value in content.items()}
