"""What is said on a fresh AMI connection, in order, until the picture can be followed.

Banner, login, the event FullyBooted, the list of live channels. Where the account in manager.conf is at
fault, the error names the PBX and what to change there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fastagi.ami.messages import Message
from fastagi.ami.protocol import AmiProtocol
from fastagi.errors import CommandRefused, ConfigError, DeadlineExceeded

__all__ = ["Account", "authenticate", "booted_at", "fully_booted", "live_channels"]

EVENT_CLASSES: Final = "system,call,agent"
"""All that call tracking needs; asking for these alone spares us the rest where the account may read more."""
BANNER_SECONDS: Final = 5.0
BOOT_SECONDS: Final = 30.0
"""A signed-in client hears FullyBooted at once, or as soon as a starting Asterisk has loaded its modules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Our account at one Asterisk, and where that is.

    `challenge` False sends the secret itself, for an interface that knows no MD5.
    """

    pbx: str
    host: str
    port: int
    username: str
    secret: str
    challenge: bool = True

    def at_fault(self, key: str, reason: str) -> ConfigError:
        """Returns the error that tells what manager.conf of this PBX must say."""
        place = f"PBX {self.pbx} ({self.host}:{self.port})"
        return ConfigError(place, f"manager.conf [{self.username}] {key}", reason)


async def authenticate(ami: AmiProtocol, account: Account) -> None:
    """Waits for the banner and signs in.

    The secret goes over the wire only where the challenge is refused or not wanted.

    Raises:
        ConfigError: the account is refused.
        Disconnected, DeadlineExceeded, RemoteProtocolError: Asterisk is not ready, or is none.
    """
    await ami.greeted(BANNER_SECONDS)
    proof = await _proof(ami, account)
    try:
        await ami.send("Login", Username=account.username, Events=EVENT_CLASSES, **proof)
    except CommandRefused as error:
        raise account.at_fault(
            "secret",
            f"the user name or the secret is wrong, or permit leaves our address out ({error.text})",
        ) from None


async def _proof(ami: AmiProtocol, account: Account) -> dict[str, str]:
    """Returns the headers that prove we know the secret."""
    plain = {"Secret": account.secret}
    if not account.challenge:
        return plain
    try:
        answer = await ami.send("Challenge", AuthType="MD5")
    except CommandRefused:
        return plain
    challenge = answer.get("Challenge")
    # MD5 is what the protocol has; it keeps the secret off the wire, no more.
    key = hashlib.md5((challenge + account.secret).encode(), usedforsecurity=False).hexdigest()
    return {"AuthType": "MD5", "Key": key} if challenge else plain


async def fully_booted(ami: AmiProtocol, account: Account) -> Message:
    """Waits until Asterisk has loaded all its modules; before that its list of channels means nothing.

    Raises:
        ConfigError: the event did not come, most likely because the account may not read it.
        Disconnected: the connection ended.
    """
    try:
        return await ami.expect("FullyBooted", BOOT_SECONDS)
    except DeadlineExceeded:
        raise account.at_fault(
            "read",
            f"needs read = {EVENT_CLASSES}: no event FullyBooted within {BOOT_SECONDS:g} s after the login "
            "(unless Asterisk takes longer than that to start)",
        ) from None


def booted_at(message: Message, now: datetime) -> datetime | None:
    """Returns when Asterisk started, to the second; None where an old one does not say."""
    uptime = message.get("Uptime")
    return now - timedelta(seconds=int(uptime)) if uptime.isdecimal() and len(uptime) < 11 else None


async def live_channels(ami: AmiProtocol, account: Account) -> list[Message]:
    """Returns every live channel.

    Raises:
        ConfigError: the account may not ask for them.
        Disconnected, DeadlineExceeded, RemoteProtocolError: the list did not come to its end.
    """
    try:
        return await ami.send_list("CoreShowChannels")
    except CommandRefused as error:
        raise account.at_fault(
            "write", f"needs write = reporting: CoreShowChannels was refused ({error.text})"
        ) from None
