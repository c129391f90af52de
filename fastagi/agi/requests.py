"""The AGI environment: what Asterisk says about a call before we may speak. Pure.

The environment is hostile (FACTS.md B5): a caller's number may carry line ends, and with them forged lines,
a forged end and a forged reply. So order is the proof. Asterisk sends the known keys once each and always in
the order of `_KEYS`; what a caller can write comes in only from `agi_callerid` on, in at most 79 bytes. That
is too few to forge all the keys up to the end, so a lie always leaves a key that is repeated, misplaced or
missing, and then nothing of it is believed but what came before.

Bytes are cut into lines before anything is decoded. Values are read as UTF-8; what is no UTF-8 becomes U+FFFD
and a control character becomes a blank, since a wrong encoding must not cost a caller the lookup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs

from fastagi.errors import RemoteProtocolError

__all__ = ["Environment", "Facts", "Request"]

MAX_LINE: Final = 8192
"""Bytes. Asterisk's own lines stay below it: its longest value is a channel variable used as argument."""
MAX_ARGUMENTS: Final = 128
"""AGI() itself takes no more."""
MAX_UNKNOWN: Final = 64
"""Keys that a newer Asterisk may add; 22.10 sends 22 known ones."""
MAX_BYTES: Final = 65536
"""Of the whole environment; a usual one has 700."""

_NAMES: Final = (
    *("network", "network_script", "request", "channel", "language", "type", "uniqueid", "version"),
    *("callerid", "calleridname", "callingpres", "callingani2", "callington", "callingtns"),
    *("dnid", "rdnis", "context", "extension", "priority", "enhanced", "accountcode", "threadid"),
)
_KEYS: Final = tuple(f"agi_{name}: ".encode() for name in _NAMES)
_PLACE: Final = {name: place for place, name in enumerate(_NAMES)}
_SCRIPT: Final = _PLACE["network_script"]
_END: Final = len(_KEYS)
# No line starts with a line end: past the last key every line takes the careful path.
_EXPECTED: Final = (*_KEYS, b"\n")

_TOO_LONG: Final = f"a line of over {MAX_LINE} bytes in the environment"
_LENGTHS: Final = tuple(map(len, _KEYS))
_LINE = re.compile(rb"agi_([a-z][a-z0-9_]*): (.*)\Z", re.DOTALL)
_INTEGER = re.compile(rb"-?\d{1,20}\Z")
_TOLD: Final = (
    *("network_script", "channel", "language", "uniqueid", "callerid", "calleridname", "callingpres"),
    *("dnid", "rdnis", "context", "extension"),
)
"""The keys a request is made of."""
_FORMS: Final = {
    "network": b"yes",
    "uniqueid": rb"[^\n]+",
    **dict.fromkeys(("callingpres", "callingani2", "callington", "callingtns"), rb"-?\d{1,20}"),
    **dict.fromkeys(("priority", "threadid"), rb"-?\d{1,20}"),
}
"""What a value has to look like, where not anything will do."""
_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160)), " ")


@dataclass(frozen=True, slots=True)
class Facts:
    """What could be believed of an environment that was refused; None: not known by then."""

    pbx: str | None = None
    uniqueid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A complete environment: Asterisk asks about a call.

    Where Asterisk says `unknown` or nothing, the value is None. `script` and `pbx` come from the URL:
    `agi://host/lookup?pbx=main` gives "lookup" and "main". `linkedid` is the first argument, if it is there.
    `unknown_keys` counts `agi_` keys this program does not know.
    """

    script: str
    pbx: str | None
    channel: str
    uniqueid: str
    linkedid: str | None
    callerid: str | None
    calleridname: str | None
    callingpres: int
    dnid: str | None
    rdnis: str | None
    context: str
    extension: str
    language: str
    args: tuple[str, ...] = ()
    unknown_keys: int = 0


class Environment:
    """Collects the bytes of one environment, cut anywhere, until its empty line."""

    def __init__(self) -> None:
        self._rest = b""
        self._bytes = 0
        self._known: list[bytes] = []
        self._args: list[bytes] = []
        self._unknown = 0

    def feed(self, data: bytes) -> Request | None:
        """Takes bytes; returns the request at the empty line and None before it.

        Raises:
            RemoteProtocolError: this is no environment, or somebody forged a part of it.
        """
        if not self._bytes and len(data) <= MAX_LINE and (whole := _WHOLE.match(data)):
            self._bytes = len(data)
            self._known = data.split(b"\n", _END)[:_END]
            *told, argument = whole.groups()
            return _made(told, () if argument is None else (_text(argument),), 0)
        self._bytes += len(data)
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        known = self._known
        for place, line in enumerate(lines):
            if line.startswith(_EXPECTED[len(known)]) and len(line) <= MAX_LINE:
                known.append(line)
            elif line:
                self._take_unexpected(line)
            else:
                self._rest = b"\n".join((*lines[place + 1 :], self._rest))
                return self._request()
        if len(self._rest) > MAX_LINE:
            raise RemoteProtocolError(_TOO_LONG)
        self._check_size()
        return None

    @property
    def rest(self) -> bytes:
        """The bytes after the empty line; before it, the incomplete last line."""
        return self._rest

    @property
    def facts(self) -> Facts:
        """What came in the right order so far, and so can be believed."""
        known = {key: line[len(key) :] for key, line in zip(_KEYS, self._known, strict=False)}
        return Facts(
            pbx=_url(known.get(b"agi_network_script: ", b""))[1],
            uniqueid=_text(known.get(b"agi_uniqueid: ", b"")) or None,
        )

    def _check_size(self) -> None:
        if self._bytes - len(self._rest) > MAX_BYTES:
            raise RemoteProtocolError(f"an environment of over {MAX_BYTES} bytes")

    def _take_unexpected(self, line: bytes) -> None:
        """Takes a line that is not the next known key: an argument, an optional key left out, an unknown key."""
        if len(line) > MAX_LINE:
            raise RemoteProtocolError(_TOO_LONG)
        found = _LINE.match(line)
        if found is None:
            raise RemoteProtocolError("a line that is not of the form 'agi_name: value'")
        name = found[1].decode()
        place = _PLACE.get(name)
        if name.startswith("arg_"):
            self._take_argument(name, found[2])
        elif place is None:
            self._unknown += 1
            if self._unknown > MAX_UNKNOWN:
                raise RemoteProtocolError(f"over {MAX_UNKNOWN} unknown keys")
        elif len(self._known) == _SCRIPT == place - 1:
            # agi://host without a path: Asterisk leaves agi_network_script out.
            self._known += [_KEYS[_SCRIPT], line]
        else:
            fault = "repeated" if place < len(self._known) else "misplaced"
            raise RemoteProtocolError(f"agi_{name} is {fault}")

    def _take_argument(self, name: str, value: bytes) -> None:
        if len(self._known) != _END or name != f"arg_{len(self._args) + 1}":
            raise RemoteProtocolError(f"agi_{name[:20]} is repeated or misplaced")
        if len(self._args) == MAX_ARGUMENTS:
            raise RemoteProtocolError(f"over {MAX_ARGUMENTS} arguments")
        self._args.append(value)

    def _request(self) -> Request:
        self._check_size()
        if len(self._known) != _END:
            raise RemoteProtocolError(f"the environment ended before agi_{_NAMES[len(self._known)]}")
        (network, url, _, channel, language, _, uniqueid, _, callerid, calleridname, *more) = (
            line[length:] for line, length in zip(self._known, _LENGTHS, strict=True)
        )
        (callingpres, ani2, ton, tns, dnid, rdnis, context, extension, priority, _, _, threadid) = more
        _check(network == b"yes", "agi_network is not 'yes'")
        _check(uniqueid != b"", "agi_uniqueid is empty")
        for number in (callingpres, ani2, ton, tns, priority, threadid):
            _check(_INTEGER.match(number), "one of agi_calling…, agi_priority and agi_threadid is no number")
        told = (url, channel, language, uniqueid, callerid, calleridname, callingpres)
        args = tuple(map(_text, self._args))
        return _made((*told, dnid, rdnis, context, extension), args, self._unknown)


def _whole_environment() -> re.Pattern[bytes]:
    """One expression for the usual case: every known key in its place, at most one argument, all in one read.

    It accepts nothing that line by line would be refused, and what it does not accept is read line by line.
    """
    lines = []
    for name in _NAMES:
        form = _FORMS.get(name, rb"[^\n]*")
        lines.append(b"agi_%s: %s\n" % (name.encode(), b"(%s)" % form if name in _TOLD else form))
    return re.compile(b"".join(lines) + rb"(?:agi_arg_1: ([^\n]*)\n)?\n\Z")


_WHOLE: Final = _whole_environment()


def _made(told: Sequence[bytes], args: tuple[str, ...], unknown_keys: int) -> Request:
    """Makes the request of the values of `_TOLD`."""
    url, channel, language, uniqueid, callerid, calleridname, callingpres, dnid, rdnis, context, extension = (
        told
    )
    script, pbx = _url(url)
    return Request(
        script=script,
        pbx=pbx,
        channel=_text(channel),
        uniqueid=_text(uniqueid),
        linkedid=(args[0] if args else None) or None,
        callerid=_known(callerid),
        calleridname=_known(calleridname),
        callingpres=int(callingpres),
        dnid=_known(dnid),
        rdnis=_known(rdnis),
        context=_text(context),
        extension=_text(extension),
        language=_text(language),
        args=args,
        unknown_keys=unknown_keys,
    )


def _check(holds: object, otherwise: str) -> None:
    if not holds:
        raise RemoteProtocolError(otherwise)


def _text(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return text if text.isprintable() else text.translate(_CONTROLS)


def _known(value: bytes) -> str | None:
    return None if not value or value == b"unknown" else _text(value)


@lru_cache(maxsize=64)  # the same few URLs for years
def _url(script: bytes) -> tuple[str, str | None]:
    path, _, query = _text(script).partition("?")
    pbx = parse_qs(query, errors="replace").get("pbx")
    return path, pbx[0] if pbx else None
