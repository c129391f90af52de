"""The configuration of one lab: the templates of ``config/`` with ports and folders filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from .ports import free_ports

__all__ = ["DIDS", "Ports", "Settings"]

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIG = Path(__file__).resolve().parent / "config"

# The scenario of each called number; config/extensions.conf says what happens there.
DIDS: Mapping[str, str] = {
    "one": "74951230001",
    "one_short": "74951230002",
    "group": "74951230003",
    "queue": "74951230004",
    "queue_short": "74951230005",
    "local_queue": "74951230006",
    "local_queue_short": "74951230007",
    "follow_me": "74951230008",
    "ivr_queue": "74951230009",
    "voicemail": "74951230010",
    "announcement": "74951230011",
    "unregistered": "74951230012",
    "switched_off": "74951230013",
    "congestion": "74951230014",
    "routed": "74951230015",
    "read_back": "74951230016",
    "ivr_wait": "74951230017",
    "announcement_short": "74951230018",
    "follow_me_optimized": "74951230019",
    "queue_optimized": "74951230020",
    "102_direct": "74951230021",
}

# Modules that find no file of theirs decline to load or complain; an empty one serves.
_EMPTY_FILES = (
    *("acl", "aeap", "ari", "ccss", "cel", "dsp", "http", "indications", "musiconhold", "pjproject"),
    *("pjsip_wizard", "res_parking", "stasis", "statsd", "udptl", "websocket_client"),
)
_PRODUCT_FILES = ("extensions_whocalls.conf", "extensions_whocalls_globals.conf", "manager_whocalls.conf")


@dataclass(frozen=True)
class Ports:
    """Every port of one lab, all on 127.0.0.1 (the trunk's on 127.0.0.2 and 127.0.0.3)."""

    sip: int
    ami: int
    agi: int
    reader: int
    trunk: int
    phone_101: int
    phone_102: int
    phone_103: int
    phone_105: int

    @classmethod
    def free(cls) -> "Ports":
        """A set of ports nobody listens on."""
        return cls(*free_ports(len(fields(cls))))

    def phone(self, name: str) -> int:
        """The port where Asterisk expects the phone ``name`` (101, 102, 103 or 105)."""
        return int(getattr(self, f"phone_{name}"))


@dataclass(frozen=True)
class Settings:
    """What differs from lab to lab.

    Attributes:
        home: the folder of this Asterisk, as it sees it (inside the chroot).
        ports: where it listens and where it expects the others.
        pbx: the name it gives itself in the AGI request.
        lookup_seconds: the time the dialplan gives the AGI server.
    """

    home: str
    ports: Ports
    pbx: str
    lookup_seconds: float

    def write(self, folder: Path) -> None:
        """Write all files into ``folder``, the product's dialplan among them."""
        for template in CONFIG.glob("*.conf"):
            (folder / template.name).write_text(_filled(template.read_text(), self._values()))
        for name in _PRODUCT_FILES:
            (folder / name).write_text((CHECKOUT / "dialplan" / name).read_text())
        settings = folder / "extensions_whocalls_globals.conf"
        settings.write_text(self._assigned(settings.read_text()))
        for name in _EMPTY_FILES:
            (folder / f"{name}.conf").touch()

    def _values(self) -> dict[str, str]:
        values = {"HOME": self.home}
        for each in fields(self.ports):
            name = each.name.upper()
            values[name if name.startswith("PHONE_") else f"{name}_PORT"] = str(
                getattr(self.ports, each.name)
            )
        return values

    def _assigned(self, text: str) -> str:
        wanted = {
            "WHOCALLS_AGI": f"127.0.0.1:{self.ports.agi}",
            "WHOCALLS_PBX": self.pbx,
            "WHOCALLS_TIMEOUT": f"{self.lookup_seconds:g}",
        }
        for key, value in wanted.items():
            text, count = re.subn(rf"^({key}\s*=>?\s*).*$", rf"\g<1>{value}", text, flags=re.MULTILINE)
            if count != 1:
                raise RuntimeError(
                    f"extensions_whocalls_globals.conf sets {key} {count} times, expected once"
                )
        return text


def _filled(template: str, values: Mapping[str, str]) -> str:
    return re.sub(r"@([A-Z0-9_]+)@", lambda found: values[found[1]], template)
