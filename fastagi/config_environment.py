"""The WHOCALLS_… environment variables, held against the configuration before pydantic reads them.

pydantic-settings passes over a variable it does not know, and tells of a value that is no JSON only the section.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fastagi.errors import ConfigError

__all__ = ["PREFIX", "SOURCE", "check", "variable_of"]

PREFIX: Final = "WHOCALLS_"
SOURCE: Final = "environment"
"""Stands for the file's name in an error."""
_OTHERS: Final = frozenset({"CONFIG", "LAB", "AGI_SERVER", "AGI_PBX"})
"""Not of the configuration: the file's name, the tests' Asterisk, and the two of `whocalls-agi`."""


def check(model: type[BaseModel], environment: Mapping[str, str]) -> None:
    """Checks the names, and that lists and tables are written as JSON.

    Args:
        model: the whole configuration; its fields are what variables can be called.
        environment: of this process.

    Raises:
        ConfigError: a variable that is none of ours, or a value that is no JSON where JSON is needed.
    """
    for name, value in environment.items():
        # pydantic does not tell small letters from capitals.
        if name.upper().startswith(PREFIX) and name[len(PREFIX) :].upper() not in _OTHERS:
            _check_value(name, value, _field(model, name))


def variable_of(location: Sequence[int | str], environment: Mapping[str, str]) -> str | None:
    """Returns the variable that a key came from, or None where it came from the file."""
    names = {name.upper(): name for name in environment}
    for length in range(len(location), 0, -1):
        name = names.get(PREFIX + "__".join(map(str, location[:length])).upper())
        if name is not None:
            return name
    return None


def _field(model: type[BaseModel], name: str) -> FieldInfo:
    """Returns the field that a variable is for."""
    *sections, key = name[len(PREFIX) :].lower().split("__")
    for section in sections:
        field = model.model_fields.get(section)
        if field is None:
            raise _unknown(name)
        inner = _section(field.annotation)
        if inner is None:
            raise ConfigError(SOURCE, name, f"{section} is given whole; lists and tables are, as JSON")
        model = inner
    if key not in model.model_fields:
        raise _unknown(name)
    return model.model_fields[key]


def _unknown(name: str) -> ConfigError:
    reason = (
        f"no such variable; a key is {PREFIX}SECTION__KEY, with two underscores: see the table in README.md"
    )
    return ConfigError(SOURCE, name, reason)


def _check_value(name: str, value: str, field: FieldInfo) -> None:
    wanted, example = _form(field.annotation)
    if wanted is None:
        return
    try:
        right = isinstance(json.loads(value), wanted)
    except ValueError:
        right = False
    if not right:
        what = "list" if wanted is list else "table"
        raise ConfigError(SOURCE, name, f"must be a {what} as JSON, for example {name}='{example}'")


def _form(annotation: Any) -> tuple[type | None, str]:
    """Returns what JSON has to be for a field and an example, or None where the plain text is the value."""
    if _section(annotation):
        return dict, '{"key": "value"}'
    if get_origin(annotation) is dict:
        return dict, '{"name": "value"}'
    if get_origin(annotation) is tuple:
        of_sections = _section(get_args(annotation)[0])
        return list, '[{"name": "main"}]' if of_sections else '["first", "second"]'
    return None, ""


def _section(annotation: Any) -> type[BaseModel] | None:
    """Returns the model of a field that is a section."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
