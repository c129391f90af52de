"""One SIP dialog of a test phone: a call that came in or went out.

A leg holds the state of its dialog and builds messages; ``phone.Phone`` owns the socket, the thread and the
lock, under which every method here runs.
"""

import re
import time
import urllib.parse
from typing import TYPE_CHECKING

from .media import Voice
from .sip import NameAddress, SipMessage, new_branch, new_tag, session_description

if TYPE_CHECKING:
    from .phone import Phone

__all__ = ["Leg"]

_NO_MEDIA = 9  # the discard port: nobody listens to what Asterisk says


class Leg:
    """A call as one phone sees it.

    Attributes:
        state: ``new``, ``ringing``, ``answered`` or ``ended``.
        invite: the INVITE that opened it (ours or theirs).
        final: the final status of the INVITE, 0 while there is none.
        ended_by: ``us`` or ``them`` once it has ended.
        times: when a state was reached first, in seconds of ``time.monotonic``.
        transfer_result: the status Asterisk reported for our REFER, 0 while there is none.
    """

    def __init__(self, phone: "Phone", invite: SipMessage, *, incoming: bool) -> None:
        self.phone = phone
        self.invite = invite
        self.incoming = incoming
        self.state = "new"
        self.final = 0
        self.ended_by = ""
        self.times: dict[str, float] = {"new": time.monotonic()}
        self.transfer_result = 0
        self.call_id = invite.call_id
        self.local_tag = new_tag() if incoming else NameAddress.parse(invite.get("From")).tag
        self.remote_tag = NameAddress.parse(invite.get("From")).tag if incoming else ""
        self._target = NameAddress.parse(invite.get("Contact")).uri if incoming else invite.uri
        self._sequence = 0 if incoming else int(invite.get("CSeq").split()[0])
        self._voice: Voice | None = None

    # -- what a test reads ----------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name on the phone's display: the display name of the INVITE's From."""
        return self.invite.caller.name

    @property
    def number(self) -> str:
        """The number on the phone's display."""
        return self.invite.caller.user

    def __repr__(self) -> str:
        way = "from" if self.incoming else "to"
        other = self.number if self.incoming else self.invite.uri
        return (
            f"<{self.phone.name}: call {way} {other}, {self.state}, final {self.final}, by {self.ended_by!r}>"
        )

    def wait(self, state: str, timeout: float = 10.0) -> "Leg":
        """Wait until the leg has reached a state at least once (``ringing``, ``answered``, ``ended``).

        Raises:
            TimeoutError: it did not; the message has what the phone sent and got.
        """
        self.phone.wait_for(lambda: state in self.times, f"{self!r} to be {state}", timeout)
        return self

    def wait_transferred(self, timeout: float = 10.0) -> int:
        """Wait for Asterisk's word on our REFER and return its status (200: done)."""
        self.phone.wait_for(
            lambda: self.transfer_result >= 200, f"the end of the transfer of {self!r}", timeout
        )
        return self.transfer_result

    # -- what a test does -----------------------------------------------------------------------------

    def ring(self) -> None:
        """180 Ringing."""
        with self.phone.lock:
            if self.state == "new":
                self._respond(180)
                self._reach("ringing")

    def answer(self) -> None:
        """200 OK. Does nothing when the call is over or answered already."""
        with self.phone.lock:
            if self.state in ("new", "ringing"):
                self._respond(200, body=self._media())
                self.final = 200
                self._reach("answered")
                self._speak(self.invite.body)

    def reject(self, status: int) -> None:
        """Refuse a ringing call: 486 busy, 603 decline …"""
        with self.phone.lock:
            if self.state in ("new", "ringing"):
                self._respond(status)
                self._end("us", status)

    def hang_up(self) -> None:
        """End the call: BYE when answered, CANCEL of our own ringing call, else 486."""
        with self.phone.lock:
            if self.state == "answered":
                self._request("BYE")
                self._end("us")
            elif self.state != "ended" and self.incoming:
                self.reject(486)
            elif self.state != "ended":
                self.ended_by = "us"
                self._send_like_invite("CANCEL")

    def transfer(self, number: str) -> None:
        """Blind transfer: REFER the other side to a number (after ``Asterisk.wait_bridged``)."""
        self._refer(f"<sip:{number}@{self.phone.server_host}>")

    def transfer_to_call(self, other: "Leg") -> None:
        """Attended transfer: REFER the other side into the call on our second line (both bridged)."""
        replaces = f"{other.call_id};to-tag={other.remote_tag};from-tag={other.local_tag}"
        number = re.sub(r"^sip:|@.*$", "", other.invite.uri) if not other.incoming else other.number
        target = f"sip:{number}@{self.phone.server_host}?Replaces={urllib.parse.quote(replaces, safe='')}"
        self._refer(f"<{target}>")

    # -- messages that came in (called by the phone, under its lock) -------------------------------------

    def take_request(self, request: SipMessage) -> None:
        """Anything inside the dialog."""
        if request.method == "BYE":
            self.phone.reply(request, 200)
            self._end("them")
        elif request.method == "CANCEL":
            self.phone.reply(request, 200)
            if self.state in ("new", "ringing"):
                self._respond(487)
                self._end("them", 487)
        elif request.method in ("INVITE", "UPDATE"):
            self.phone.reply(request, 200, body=self._media() if request.body else "", tag=self.local_tag)
        elif request.method == "NOTIFY":
            self.phone.reply(request, 200)
            self._take_transfer_report(request.body)
        elif request.method != "ACK":
            self.phone.reply(request, 200)

    def take_response(self, response: SipMessage) -> None:
        """An answer to something we sent inside (or to open) the dialog."""
        if response.method != "INVITE" or self.incoming:
            if response.method == "REFER" and response.status >= 300:
                self.transfer_result = response.status
            return
        if response.status >= 180:
            self.remote_tag = NameAddress.parse(response.get("To")).tag or self.remote_tag
        if 180 <= response.status < 200 and self.state == "new":
            self._reach("ringing")
        elif 200 <= response.status < 300:
            self._target = NameAddress.parse(response.get("Contact")).uri or self._target
            self._request("ACK")
            self.final = response.status
            if self.state != "answered":
                self._reach("answered")
                self._speak(response.body)
        elif response.status >= 300:
            self._send_like_invite("ACK", to=response.get("To"))
            self._end(self.ended_by or "them", response.status)

    def no_reply(self, method: str) -> None:
        """Asterisk never answered our request."""
        if method in ("INVITE", "BYE"):
            self._end(self.ended_by or "them", self.final or 408)

    def _take_transfer_report(self, fragment: str) -> None:
        found = re.search(r"SIP/2\.0 (\d+)", fragment)
        self.transfer_result = int(found[1]) if found else self.transfer_result
        if 200 <= self.transfer_result < 300:
            self.hang_up()  # as phones do: Asterisk leaves the BYE to whoever sent the REFER

    # -- parts ----------------------------------------------------------------------------------------

    def _media(self) -> str:
        return session_description(self.phone.host, _NO_MEDIA)

    def _speak(self, description: str) -> None:
        if self.phone.speaks and self._voice is None:
            self._voice = Voice(description)
            self._keep_speaking()

    def _keep_speaking(self) -> None:
        if self.state == "answered" and self._voice is not None:
            self._voice.tick()
            self.phone.later(Voice.EVERY, self._keep_speaking)

    def _reach(self, state: str) -> None:
        self.state = state
        self.times.setdefault(state, time.monotonic())
        self.phone.note(f"{self.phone.name}: {self._story()} {state}")

    def _story(self) -> str:
        return f"call from {self.number}" if self.incoming else f"call to {self.invite.uri}"

    def _end(self, by: str, status: int = 0) -> None:
        if self.state == "ended":
            return
        self.final = self.final or status
        self.ended_by = by
        self.state = "ended"
        if self._voice is not None:
            self._voice.stop()
        self.times.setdefault("ended", time.monotonic())
        by_whom = self.phone.name if by == "us" else "the other side"
        self.phone.note(f"{self.phone.name}: {self._story()} ended by {by_whom}, INVITE status {self.final}")

    def _respond(self, status: int, body: str = "") -> None:
        self.phone.reply(self.invite, status, body=body, tag=self.local_tag)

    def _refer(self, target: str) -> None:
        with self.phone.lock:
            self.transfer_result = 0
            self._request("REFER", ("Refer-To", target), ("Referred-By", f"<{self.phone.contact}>"))
            self.phone.note(
                f"{self.phone.name}: REFER of the {self._story()} to {target.split('?')[0].strip('<>')}"
            )

    def _request(self, method: str, *extra: tuple[str, str]) -> None:
        mine, theirs = ("To", "From") if self.incoming else ("From", "To")
        if method != "ACK":
            self._sequence += 1
        sequence = self.invite.get("CSeq").split()[0] if method == "ACK" else str(self._sequence)
        headers = [
            ("Via", self.phone.via(new_branch())),
            ("Max-Forwards", "70"),
            ("From", _tagged(self.invite.get(mine), self.local_tag)),
            ("To", _tagged(self.invite.get(theirs), self.remote_tag)),
            ("Call-ID", self.call_id),
            ("CSeq", f"{sequence} {method}"),
            ("Contact", f"<{self.phone.contact}>"),
            *extra,
        ]
        self.phone.send(SipMessage(f"{method} {self._target} SIP/2.0", tuple(headers)), self)

    def _send_like_invite(self, method: str, to: str = "") -> None:
        """CANCEL, or the ACK of a refusal: same branch and number as the INVITE."""
        kept = [
            pair
            for pair in self.invite.headers
            if pair[0] in ("Via", "Max-Forwards", "From", "To", "Call-ID")
        ]
        headers = [(name, to if name == "To" and to else value) for name, value in kept]
        headers.append(("CSeq", f"{self.invite.get('CSeq').split()[0]} {method}"))
        self.phone.send(SipMessage(f"{method} {self.invite.uri} SIP/2.0", tuple(headers)), self)


def _tagged(address: str, tag: str) -> str:
    return address if NameAddress.parse(address).tag else f"{address};tag={tag}"
