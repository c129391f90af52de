"""SIP messages as values: enough of RFC 3261 for a test phone. No I/O.

Text is UTF-8 with ``surrogateescape``, so a message survives whatever bytes a caller put into it.
"""

import re
import uuid
from dataclasses import dataclass

__all__ = ["NameAddress", "SipMessage", "new_branch", "new_tag", "quoted", "session_description"]

_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "r": "refer-to",
}
_ADDRESS = re.compile(r'^\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<([^>]*)>(.*)$', re.DOTALL)


@dataclass(frozen=True)
class SipMessage:
    """One request or response. Header names keep their case; look-ups ignore it."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    @classmethod
    def parse(cls, data: bytes) -> "SipMessage":
        """Read one datagram.

        Raises:
            ValueError: there is no start line.
        """
        head, _, body = data.decode("utf-8", "surrogateescape").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        if "SIP/2.0" not in start:
            raise ValueError(f"not a SIP message: {start[:80]!r}")
        pairs = (line.partition(":") for line in lines)
        return cls(start, tuple((name.strip(), value.strip()) for name, _, value in pairs), body)

    def encode(self) -> bytes:
        """The datagram; Content-Length is added here."""
        body = self.body.encode("utf-8", "surrogateescape")
        lines = [
            self.start,
            *(f"{name}: {value}" for name, value in self.headers),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        wanted = name.lower()
        return [value for key, value in self.headers if _COMPACT.get(key.lower(), key.lower()) == wanted]

    def get(self, name: str, default: str = "") -> str:
        """The first value of a header."""
        return next(iter(self.all(name)), default)

    @property
    def is_request(self) -> bool:
        return not self.start.startswith("SIP/2.0")

    @property
    def method(self) -> str:
        """The method of the request, or of the request this response answers."""
        return self.start.split()[0] if self.is_request else self.get("CSeq").split()[-1]

    @property
    def status(self) -> int:
        """The code of a response, 0 for a request."""
        return 0 if self.is_request else int(self.start.split()[1])

    @property
    def uri(self) -> str:
        """The Request-URI."""
        return self.start.split()[1]

    @property
    def call_id(self) -> str:
        return self.get("Call-ID")

    @property
    def branch(self) -> str:
        found = re.search(r"branch=([^;,\s]+)", self.get("Via"))
        return found[1] if found else ""

    @property
    def caller(self) -> "NameAddress":
        """Who the From header names: on an INVITE, what the phone's display shows."""
        return NameAddress.parse(self.get("From"))


@dataclass(frozen=True)
class NameAddress:
    """A ``"Name" <sip:user@host>;tag=…`` header value."""

    name: str
    uri: str
    tag: str

    @classmethod
    def parse(cls, value: str) -> "NameAddress":
        found = _ADDRESS.match(value)
        if found is None:
            uri, _, rest = value.partition(";")
            return cls("", uri.strip(), _tag(";" + rest))
        name = re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL) if found[1] is not None else found[2]
        return cls(name, found[3], _tag(found[4]))

    @property
    def user(self) -> str:
        """The part before the @, as it stands on the wire."""
        address = self.uri.removeprefix("sip:")
        return address.rpartition("@")[0]


def _tag(parameters: str) -> str:
    found = re.search(r";\s*tag=([^;\s]+)", parameters)
    return found[1] if found else ""


def quoted(name: str) -> str:
    """A display name as a SIP quoted string."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def new_branch() -> str:
    """A new transaction identifier."""
    return "z9hG4bK" + uuid.uuid4().hex


def new_tag() -> str:
    """A new dialog tag (also good for a Call-ID)."""
    return uuid.uuid4().hex[:16]


def session_description(host: str, port: int) -> str:
    """An SDP body that offers or accepts one G.711 stream."""
    lines = ["v=0", f"o=lab 1 1 IN IP4 {host}", "s=lab", f"c=IN IP4 {host}", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendrecv"]
    return "".join(f"{line}\r\n" for line in lines)
