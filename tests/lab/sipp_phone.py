"""Phones that act by the clock: SIPp playing an operator's desk."""

from collections.abc import Mapping
from pathlib import Path

from .sip import SipMessage
from .sipp import Sipp, milliseconds
from .waiting import eventually

__all__ = ["SippPhone"]


class SippPhone(Sipp):
    """A phone that treats every call alike: it ``answers``, ``rings``, ``refuses`` or ``transfers``."""

    def __init__(
        self,
        scenario: str,
        values: Mapping[str, str | int],
        address: tuple[str, int],
        server: tuple[str, int],
    ) -> None:
        super().__init__(scenario, values, address[0], server)
        self.launch(address[1])
        eventually(lambda: self._listens(address[1]), "the SIPp phone to listen", details=self.story)

    @classmethod
    def answers(
        cls, address: tuple[str, int], server: tuple[str, int], *, after: float | None, talks: float | None
    ) -> "SippPhone":
        """Rings, answers after some seconds, hangs up after ``talks`` seconds (None: never)."""
        values = {"RING_MS": milliseconds(after), "TALK_MS": milliseconds(talks), "THEN": "hang_up"}
        return cls("phone", values, address, server)

    @classmethod
    def rings(cls, address: tuple[str, int], server: tuple[str, int]) -> "SippPhone":
        """Rings for ever."""
        return cls.answers(address, server, after=None, talks=None)

    @classmethod
    def refuses(cls, address: tuple[str, int], server: tuple[str, int], status: str) -> "SippPhone":
        """Refuses at once, for example with ``486 Busy Here``."""
        return cls("phone_refuses", {"STATUS": status}, address, server)

    @classmethod
    def transfers(
        cls, address: tuple[str, int], server: tuple[str, int], *, after: float, talks: float, to: str
    ) -> "SippPhone":
        """Answers, talks, and then transfers blindly by REFER."""
        values = {"RING_MS": milliseconds(after), "TALK_MS": milliseconds(talks), "THEN": "transfer"}
        return cls("phone", {**values, "TRANSFER_TO": to}, address, server)

    @property
    def invites(self) -> list[SipMessage]:
        """The calls that came in, oldest first, without retransmissions."""
        calls = {
            m.call_id: m for way, m in self.messages if way == "received" and m.start.startswith("INVITE ")
        }
        return list(calls.values())

    def wait_invite(self, count: int = 1, timeout: float = 10.0) -> SipMessage:
        """Wait for the ``count``-th call and return its INVITE: ``.caller.name`` is the name on the display."""
        eventually(lambda: len(self.invites) >= count, f"call {count} at the SIPp phone", timeout=timeout)
        return self.invites[count - 1]

    def _listens(self, port: int) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"SIPp ended with {self.process.returncode}\n{self.story()}")
        entry = f"{_hexadecimal(self.host)}:{port:04X}"
        return any(entry in line for line in Path("/proc/net/udp").read_text().splitlines())


def _hexadecimal(host: str) -> str:
    """An IPv4 address as /proc/net/udp writes it."""
    return "".join(f"{int(part):02X}" for part in reversed(host.split(".")))
