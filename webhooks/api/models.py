"""The JSON forms of what the API takes and gives, besides calls themselves (`fastagi.events.CallModel`)."""

from __future__ import annotations

from typing import Annotated, Final, Generic, Literal, TypeVar
from unicodedata import category

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from fastagi.calls import LookupStatus, Status
from fastagi.events import LeadModel, MatchModel, SubscriberModel, Time
from fastagi.interfaces import Role

__all__ = [
    "AccountModel",
    "Edit",
    "HealthModel",
    "HistoryModel",
    "LookupModel",
    "NumberModel",
    "PageModel",
    "PartModel",
    "SignIn",
]

Item = TypeVar("Item")

_LONGEST_NOTE: Final = 4000


class PageModel(BaseModel, Generic[Item]):
    """A page of a list. `total` is exact where `total_exact` says so; `next` is the cursor of the next page."""

    items: list[Item]
    total: int
    total_exact: bool
    next: str | None


class AccountModel(BaseModel):
    """A person, or a token's program."""

    model_config = ConfigDict(from_attributes=True)

    login: str
    name: str
    role: Role
    sip_phones: tuple[str, ...]
    language: str | None


class SignIn(BaseModel):
    """What a person signs in with."""

    model_config = ConfigDict(extra="ignore")  # a form may send its button

    login: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Edit(BaseModel):
    """What a person changes in a call; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    # Plain texts, so that an error names them as they are to be written.
    status: Literal["in_processing", "processed", "not_processed"] | None = None
    note: str | None = Field(None, max_length=_LONGEST_NOTE)

    @field_validator("note")
    @classmethod
    def _text(cls, value: str | None) -> str | None:
        # Joiners, hard spaces and the like are part of people's texts; half surrogates cannot be written as UTF-8.
        if value is not None and any(
            category(sign) in ("Cc", "Cs") and sign not in "\n\r\t" for sign in value
        ):
            raise ValueError("must be text: control characters are not allowed")
        return value

    @model_validator(mode="after")
    def _something(self) -> Edit:
        if self.status is None and self.note is None:
            raise ValueError("needs status or note")
        return self


class HistoryModel(BaseModel):
    """One entry of a call's status history; `by` is a login, null for the PBX."""

    model_config = ConfigDict(from_attributes=True)

    at: Time
    by: str | None
    before: Status | None
    after: Status


class NumberModel(BaseModel):
    """A number that was looked up."""

    raw: str
    e164: str | None
    kind: str


class LookupModel(BaseModel):
    """What a lookup came to, and in words what was tried."""

    status: LookupStatus
    caller: NumberModel
    subscriber: SubscriberModel | None
    candidates: list[SubscriberModel]
    lead: LeadModel | None
    match: MatchModel | None
    steps: list[str]


class PartModel(BaseModel):
    """How a part of the service is; strangers are not told `detail`."""

    ok: bool
    detail: str | None = None


class HealthModel(BaseModel):
    """How the service is: ok when every part is."""

    ok: bool
    parts: dict[str, PartModel]
