"""Changes as lines of JSON and back: what the spool and the file of rejected changes hold (pydantic)."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter, ValidationError

from fastagi.changes import Change, Edited, LookedUp, Observed
from fastagi.errors import BadInput
from fastagi.journal.rows import fitted

__all__ = ["decode_change", "encode_change"]

_KINDS: Final[dict[bytes, TypeAdapter[Change]]] = {
    b"looked_up": TypeAdapter(LookedUp),
    b"observed": TypeAdapter(Observed),
    b"edited": TypeAdapter(Edited),
}
_NAMES: Final = {LookedUp: b"looked_up", Observed: b"observed", Edited: b"edited"}
_BEGIN: Final = b'{"'
_MIDDLE: Final = b'":'


def encode_change(change: Change) -> bytes:
    """Returns a change as one line without its end: `{"observed":{…}}`.

    Texts are made to fit their columns first, as the journal does: what no database can store is not kept
    for it. Times keep their microseconds.
    """
    name = _NAMES[type(change)]
    return _BEGIN + name + _MIDDLE + _KINDS[name].dump_json(fitted(change)) + b"}"


def decode_change(line: bytes) -> Change:
    """Reads a change back; keys that are not known are left out, those that are missing have their default.

    Raises:
        BadInput: the line is no change, or one of a kind this program does not know.
    """
    name, middle, body = line.removeprefix(_BEGIN).partition(_MIDDLE)
    adapter = _KINDS.get(name)
    if not line.startswith(_BEGIN) or not middle or not body.endswith(b"}") or adapter is None:
        raise BadInput("change", 'is not a line of the form {"looked_up": {…}}, observed or edited')
    try:
        return adapter.validate_json(body[:-1])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "change"
        raise BadInput(f"change: {where}", first["msg"]) from None
