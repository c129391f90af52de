"""The whole lab in one object: Asterisk, three phones, the provider's trunk.

lab.phone("101").answers(after=0.5, hangs_up_after=2)
call = lab.trunk_call("one", from_user="79161234567")
call.wait("ended")
assert lab.phone("101").wait_call().name == "Иванов Иван"
"""

from .agi import AgiServer, VariableReader
from .ami import AmiClient
from .asterisk import DIDS, Asterisk
from .leg import Leg
from .phone import Phone

__all__ = ["OPERATORS", "TRUNK_AGI", "TRUNK_AMI", "Lab"]

OPERATORS = ("101", "102", "103")
TRUNK_AGI = "127.0.0.2"  # its calls enter at [from-trunk] and ask the AGI server
TRUNK_AMI = "127.0.0.3"  # its calls enter at [from-trunk-ami], which has no AGI


class Lab:
    """``start`` it, ``stop`` it.

    Attributes:
        asterisk: the private Asterisk.
        log: what the phones did, each line beginning with the time (seconds since the epoch).
    """

    def __init__(self, asterisk: Asterisk | None = None) -> None:
        self.asterisk = asterisk or Asterisk()
        self.log: list[str] = []
        server = ("127.0.0.1", self.ports.sip)
        self._phones = {
            name: Phone(name, "127.0.0.1", self.ports.phone(name), server, log=self.log) for name in OPERATORS
        }
        self._trunks = {
            host: Phone("trunk", host, self.ports.trunk, server, log=self.log)
            for host in (TRUNK_AGI, TRUNK_AMI)
        }

    def start(self) -> "Lab":
        """Start Asterisk (when it is not running) and plug in the phones."""
        if not self.asterisk.running:
            self.asterisk.start()
        for each in self._everyone():
            each.start()
        return self

    def stop(self) -> None:
        """Unplug the phones and stop Asterisk."""
        self.unplug()
        self.asterisk.stop()

    def unplug(self) -> None:
        """Hang up and close all phones, leave Asterisk running."""
        for each in self._everyone():
            each.stop()

    @property
    def ports(self):
        """Where everything listens."""
        return self.asterisk.ports

    def phone(self, name: str) -> Phone:
        """The phone 101, 102 or 103."""
        return self._phones[name]

    @property
    def trunk(self) -> Phone:
        """The provider: outgoing calls of the office ring here."""
        return self._trunks[TRUNK_AGI]

    def trunk_call(self, did: str, from_user: str = "79161234567", *, trunk: str = TRUNK_AGI, **more) -> Leg:
        """Call the office from outside, with a call that the test controls.

        Args:
            did: a name from ``DIDS`` or a number.
            from_user: the user part of From, as it goes on the wire.
            trunk: ``TRUNK_AGI`` or ``TRUNK_AMI``.
            more: ``name`` and ``headers`` of ``Phone.call``.
        """
        return self._trunks[trunk].call(DIDS.get(did, did), from_user=from_user, **more)

    def agi_server(self, answer: dict[str, str] | None = None) -> AgiServer:
        """A stand-in for the product on the AGI port; start and stop it yourself."""
        return AgiServer(self.ports.agi, answer)

    def variable_reader(self, *names: str) -> VariableReader:
        """Reads variables of calls to the number ``read_back``; start and stop it yourself."""
        return VariableReader(self.ports.reader, names)

    def ami(self, user: str = "watcher", secret: str = "watcher") -> AmiClient:
        """An AMI client that sees everything; start and stop it yourself."""
        return AmiClient(self.ports.ami, user, secret)

    def _everyone(self) -> list[Phone]:
        return [*self._phones.values(), *self._trunks.values()]
