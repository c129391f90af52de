"""The whole lab in one object: Asterisk, three phones, the provider's trunk.

    lab.phone("101").answers(after=0.5, hangs_up_after=2)
    lab.call("one", from_user="79161234567").wait()
    assert lab.phone("101").wait_call().name == "Иванов Иван"

``call`` is SIPp and runs by itself; ``trunk_call`` is a call of our own phone, which the test controls step by
step. In the same way ``phone`` is ours, and ``sipp_answers`` and its sisters replace it by a SIPp phone.
"""

from collections.abc import Iterable

from .agi import AgiServer, VariableReader
from .ami import AmiClient
from .asterisk import Asterisk
from .configuration import DIDS, Ports
from .leg import Leg
from .phone import Phone
from .sipp import Caller, SippCall, SippLoad
from .sipp_phone import SippPhone
from .waiting import eventually

__all__ = ["OPERATORS", "TRUNK_AGI", "TRUNK_AMI", "Lab"]

OPERATORS = ("101", "102", "103")
TRUNK_AGI = "127.0.0.2"  # its calls enter at [from-trunk] and ask the AGI server
TRUNK_AMI = "127.0.0.3"  # its calls enter at [from-trunk-ami], which has no AGI
LOCAL = "127.0.0.1"


class Lab:
    """``start`` it, ``reset`` it between tests, ``stop`` it.

    Attributes:
        asterisk: the private Asterisk.
        log: what the phones did, each line beginning with the time (seconds since the epoch).
    """

    def __init__(self, asterisk: Asterisk | None = None) -> None:
        self.asterisk = asterisk or Asterisk()
        self.log: list[str] = []
        self._guests: list[SippCall | SippLoad | SippPhone | AgiServer | AmiClient] = []
        self._phones = {
            name: Phone(name, LOCAL, self.ports.phone(name), self._server, log=self.log) for name in OPERATORS
        }
        self._trunks = {
            host: Phone("trunk", host, self.ports.trunk, self._server, log=self.log)
            for host in (TRUNK_AGI, TRUNK_AMI)
        }

    # -- life -----------------------------------------------------------------------------------------

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
        """Hang up and close all phones and whatever else was asked of this lab; Asterisk goes on."""
        for each in self._everyone():
            each.stop()
        while self._guests:
            self._guests.pop().stop()

    def reset(self) -> None:
        """Bring everything back to how ``start`` left it: no call, all phones plugged in, an empty log.

        Raises:
            TimeoutError: a channel is left in Asterisk that even its console could not hang up.
        """
        self.unplug()
        if not self.asterisk.running:
            self.asterisk.start()
        try:
            self.asterisk.wait_idle(timeout=1)
        except TimeoutError:
            self.asterisk.cli("channel request hangup all")
            self.asterisk.wait_idle()
        eventually(self._phones_are_free, "Asterisk to see all phones free")
        self.asterisk.ask_agi_at(self.ports.agi)
        self.log.clear()
        for each in self._everyone():
            each.forget()
            each.start()

    @property
    def ports(self) -> Ports:
        """Where everything listens."""
        return self.asterisk.ports

    # -- phones and calls -----------------------------------------------------------------------------

    def phone(self, name: str) -> Phone:
        """The phone 101, 102 or 103."""
        return self._phones[name]

    @property
    def trunk(self) -> Phone:
        """The provider: outgoing calls of the office ring here."""
        return self._trunks[TRUNK_AGI]

    def trunk_call(
        self,
        did: str,
        from_user: str = "79161234567",
        *,
        name: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        trunk: str = TRUNK_AGI,
    ) -> Leg:
        """Call the office from outside, with a call that the test controls.

        Args:
            did: a name from ``DIDS`` or a number.
            from_user: the user part of From, as it goes on the wire.
            name: the display name; any text.
            headers: more headers of the INVITE.
            trunk: ``TRUNK_AGI`` or ``TRUNK_AMI``.
        """
        caller = self._trunks[trunk]
        return caller.call(DIDS.get(did, did), from_user=from_user, name=name, headers=headers)

    def call(
        self,
        did: str,
        from_user: str = "79161234567",
        *,
        name: str | None = None,
        header: str = "",
        from_host: str | None = None,
        hangs_up_after: float | None = None,
        gives_up_after: float | None = None,
        host: str = TRUNK_AGI,
    ) -> SippCall:
        """Call the office from outside with SIPp; ``wait`` on the result.

        Args:
            did: a name from ``DIDS`` or a number.
            from_user: the user part of From, as it goes on the wire; "" for none.
            name: the display name (no semicolon: SIPp's file cannot carry one).
            header: one more header line, for example ``Privacy: id``.
            from_host: the host part of From, None for the trunk's address.
            hangs_up_after: seconds of talk until the caller hangs up, None for never.
            gives_up_after: seconds until the caller gives up unanswered, None for never.
            host: ``TRUNK_AGI``, ``TRUNK_AMI``, or 127.0.0.1 for a phone that dials (``from_user`` its name).
        """
        caller = Caller(from_user, name, header, from_host)
        number = DIDS.get(did, did)
        made = SippCall(
            number, caller, self._server, host=host, talks=hangs_up_after, gives_up_after=gives_up_after
        )
        self._guests.append(made)
        return made

    def load(
        self,
        did: str,
        callers: Iterable[Caller],
        *,
        rate: float,
        calls: int,
        talks: float,
        host: str = TRUNK_AGI,
    ) -> SippLoad:
        """``calls`` calls from outside at ``rate`` a second, the callers taken in turn; every one must be answered."""
        number = DIDS.get(did, did)
        made = SippLoad(number, callers, self._server, host=host, rate=rate, calls=calls, talks=talks)
        self._guests.append(made)
        return made

    def sipp_answers(
        self, name: str, *, after: float = 0.3, hangs_up_after: float | None = None
    ) -> SippPhone:
        """A SIPp phone in place of ours: it rings, answers, and perhaps hangs up."""
        return self._plug(
            SippPhone.answers(self._freed(name), self._server, after=after, talks=hangs_up_after)
        )

    def sipp_rings(self, name: str) -> SippPhone:
        """A SIPp phone in place of ours: it rings for ever."""
        return self._plug(SippPhone.rings(self._freed(name), self._server))

    def sipp_refuses(self, name: str, status: str = "486 Busy Here") -> SippPhone:
        """A SIPp phone in place of ours: it refuses every call (``486 Busy Here``, ``603 Decline``)."""
        return self._plug(SippPhone.refuses(self._freed(name), self._server, status))

    def sipp_transfers(self, name: str, to: str, *, after: float = 0.3, talks: float = 0.5) -> SippPhone:
        """A SIPp phone in place of ours: it answers, talks, and transfers blindly by REFER."""
        return self._plug(
            SippPhone.transfers(self._freed(name), self._server, after=after, talks=talks, to=to)
        )

    # -- the other ends -------------------------------------------------------------------------------

    def agi_server(self, answer: dict[str, str] | None = None) -> AgiServer:
        """A stand-in for the product on the AGI port; start it yourself, ``unplug`` stops it."""
        server = AgiServer(self.ports.agi, answer)
        self._guests.append(server)
        return server

    def variable_reader(self, *names: str) -> VariableReader:
        """Reads variables of calls to the number ``read_back``; start it yourself, ``unplug`` stops it."""
        reader = VariableReader(self.ports.reader, names)
        self._guests.append(reader)
        return reader

    def ami(self, user: str = "watcher", secret: str = "watcher") -> AmiClient:
        """An AMI client that sees everything; start it yourself, ``unplug`` stops it."""
        client = AmiClient(self.ports.ami, user, secret)
        self._guests.append(client)
        return client

    def report(self) -> str:
        """What the phones did, for failure messages."""
        return "\n".join(self.log[-60:])

    # -- parts ----------------------------------------------------------------------------------------

    @property
    def _server(self) -> tuple[str, int]:
        return (LOCAL, self.ports.sip)

    def _everyone(self) -> list[Phone]:
        return [*self._phones.values(), *self._trunks.values()]

    def _freed(self, name: str) -> tuple[str, int]:
        phone = self._phones[name]
        phone.stop()
        return (phone.host, phone.port)

    def _plug(self, phone: SippPhone) -> SippPhone:
        self._guests.append(phone)
        return phone

    def _phones_are_free(self) -> bool:
        states = self.asterisk.cli("core show hints") + self.asterisk.cli("queue show")
        return "In use" not in states and "(Busy)" not in states and "Ringing" not in states
