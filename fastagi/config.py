"""The configuration: one TOML file, then WHOCALLS_… environment variables over it.

Every mistake is a ConfigError that names file, key and reason; the command line turns it into exit code 2.
A key that does not exist is a mistake too: a misspelt key must not be ignored in silence. What the service could
not start with is refused here already, so that `check-config` tells it.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from phonenumbers import SUPPORTED_REGIONS
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from fastagi import config_environment, config_values
from fastagi.agi.variables import check_extra
from fastagi.errors import BadInput, ConfigError
from fastagi.linenames import readable_lines
from fastagi.numbers import Numbers

__all__ = [
    "AgiConfig",
    "BusConfig",
    "Config",
    "ConsoleConfig",
    "DatabaseConfig",
    "DirectoryConfig",
    "NumbersConfig",
    "PbxConfig",
    "PushConfig",
    "load",
]

Network = IPv4Network | IPv6Network
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AgiConfig(_Section):
    """[agi]: the FastAGI server."""

    listen: str = "tcp:4573:interface=127.0.0.1"
    deadline: float = Field(default=0.3, gt=0, le=1.2)
    """Seconds until Asterisk is answered without a result; the dialplan waits 1.5 s."""
    allow: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
    max_connections: int = Field(default=1000, ge=1, le=60000)
    lookup_withheld: bool = False
    """Look up a number that came with presentation prohibited."""
    inherit: Literal["", "_", "__"] = ""
    """Prefix of every variable name, so that dialled channels inherit it."""
    variables: dict[str, str] = {}
    """More channel variables: name to the subscriber's field (company, service, url …)."""

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        return config_values.endpoint(value)

    @field_validator("variables")
    @classmethod
    def _variables(cls, value: dict[str, str]) -> dict[str, str]:
        try:
            check_extra(value)
        except BadInput as error:
            raise ValueError(str(error)) from None
        return value


class PbxConfig(_Section):
    """[[pbx]]: one Asterisk. Without username it has no AMI: calls are settled as not observed."""

    name: Name
    host: str = "127.0.0.1"
    port: int = Field(default=5038, ge=1, le=65535)
    username: str | None = None
    secret: str = ""
    trunk_contexts: tuple[str, ...] = ("from-trunk",)
    lookup: Literal["agi", "ami"] = "agi"
    operator_pattern: str | None = None
    """Regular expression with one group: SIP phone out of a channel's name."""

    @field_validator("operator_pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None and config_values.pattern(value).groups != 1:
            raise ValueError("needs exactly one group: the SIP phone")
        return value

    @model_validator(mode="after")
    def _ami_needs_username(self) -> PbxConfig:
        if self.lookup == "ami" and self.username is None:
            raise ValueError('lookup = "ami" needs a username and a secret')
        return self


class DatabaseConfig(_Section):
    """[database]: whocalls' own database. `spool` is the folder where calls wait while it is away."""

    url: str = "sqlite:///whocalls.db"
    threads: int = Field(default=4, ge=1, le=32)
    spool: Path = Path("whocalls.spool")

    @field_validator("url")
    @classmethod
    def _known(cls, value: str) -> str:
        return config_values.database_url(value)


class DirectoryConfig(_Section):
    """[[directory]]: where subscribers are looked up, in order."""

    kind: Literal["own"] = "own"
    name: Name = "own"


class NumbersConfig(_Section):
    """[numbers]: how numbers are read."""

    region: str = "RU"
    internal: str = r"^\d{2,4}$"
    prefixes: tuple[str, ...] = ()
    """Digits a trunk or PBX puts before every number, stripped first ("9", "00")."""
    skip: tuple[str, ...] = ()
    """Regular expressions over the raw number of at most 24 characters: journalled as skipped, never looked up."""

    @field_validator("region")
    @classmethod
    def _region(cls, value: str) -> str:
        if value not in SUPPORTED_REGIONS:
            raise ValueError("must be a two-letter country code such as RU, UA or DE")
        return value

    @field_validator("internal")
    @classmethod
    def _internal(cls, value: str) -> str:
        config_values.pattern(value)
        return value

    @field_validator("skip")
    @classmethod
    def _skip(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            config_values.pattern(one)
        return value


class BusConfig(_Section):
    """[bus]: between call side and push side."""

    url: str = "memory://"

    @field_validator("url")
    @classmethod
    def _known(cls, value: str) -> str:
        return config_values.bus_url(value)


class PushConfig(_Section):
    """[push]: console, API and live events."""

    listen: str = "127.0.0.1:8080"
    secure_cookies: bool = False
    """True behind TLS: cookies are sent over HTTPS only."""

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
            raise ValueError('must be HOST:PORT, for example "127.0.0.1:8080"')
        return value

    @property
    def host(self) -> str:
        """The address to listen on."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0 takes a free one."""
        return int(self.listen.rpartition(":")[2])


class ConsoleConfig(_Section):
    """[console]: how things are shown."""

    language: Literal["en", "ru", "uk"] = "en"
    subscriber_url: str | None = None
    """Link to a subscriber's page, "{id}" stands for the identifier."""
    currency: str | None = None

    @field_validator("subscriber_url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://|/", value):
            raise ValueError("must begin with https://, http:// or /")
        return value


class Config(BaseSettings):
    """The whole configuration; the defaults run without a file."""

    model_config = SettingsConfigDict(
        env_prefix=config_environment.PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    agi: AgiConfig = AgiConfig()
    pbx: tuple[PbxConfig, ...] = Field(default=(PbxConfig(name="main"),), min_length=1)
    database: DatabaseConfig = DatabaseConfig()
    directory: tuple[DirectoryConfig, ...] = (DirectoryConfig(),)
    numbers: NumbersConfig = NumbersConfig()
    bus: BusConfig = BusConfig()
    push: PushConfig = PushConfig()
    console: ConsoleConfig = ConsoleConfig()
    lines: dict[str, str] = {}
    """[lines]: called number, as a person writes it, to the name shown for it (see `linenames`)."""

    @model_validator(mode="after")
    def _unique(self) -> Config:
        names = [one.name for one in self.pbx]
        if len(set(names)) != len(names):
            raise ValueError("two [[pbx]] have the same name")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes over the file."""
        return env_settings, init_settings


def load(path: Path | None) -> Config:
    """Reads the configuration.

    Args:
        path: the TOML file; None takes the defaults and the environment only.

    Raises:
        ConfigError: no such file, no TOML, an unknown key or variable, or a wrong value.
    """
    environment = dict(os.environ)
    config_environment.check(Config, environment)
    values = _read(path) if path else {}
    try:
        config = Config(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(path, environment, first["loc"], _reason(first["type"], first["msg"])) from None
    numbers = config.numbers
    try:
        readable_lines(config.lines, Numbers(numbers.region, numbers.internal, numbers.prefixes))
    except BadInput as error:
        raise _wrong(path, environment, ("lines", error.what), error.reason) from None
    return config


def _wrong(
    path: Path | None, environment: Mapping[str, str], location: Sequence[int | str], reason: str
) -> ConfigError:
    """Returns the error that names where a wrong value stands: the variable, else the file."""
    key = ".".join(map(str, location)) or "(whole file)"
    variable = config_environment.variable_of(location, environment)
    if variable is not None:
        return ConfigError(config_environment.SOURCE, variable, f"{key}: {reason}")
    return ConfigError(str(path) if path else config_environment.SOURCE, key, reason)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path), "(file)", error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), "(file)", "is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), "(syntax)", str(error)) from None


def _reason(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "no such key; see the configuration table in README.md"
    return message.removeprefix("Value error, ")
