"""The AGI side of the simulated PBX: asks the server as Asterisk does and executes what it answers."""

from __future__ import annotations

import asyncio

from fastagi.simulator.channels import SimulatedChannel

__all__ = ["ask", "unquote_mset"]

LIMIT = 1.5
"""Seconds the dialplan waits for the whole dialogue."""


async def ask(port: int, pbx: str, channel: SimulatedChannel) -> dict[str, str]:
    """Runs AGI(agi://127.0.0.1:PORT/lookup?pbx=NAME) and returns the variables the server set."""
    variables: dict[str, str] = {"LOOKUP_STATUS": "TIMEOUT"}
    try:
        async with asyncio.timeout(LIMIT):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(_environment(port, pbx, channel))
                await _obey(reader, writer, variables)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        if variables["LOOKUP_STATUS"] == "TIMEOUT":
            variables["LOOKUP_STATUS"] = "ERROR"
    return variables


async def _obey(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, variables: dict[str, str]
) -> None:
    while line := await reader.readline():
        command = line.decode().rstrip("\n")
        if command.startswith("EXEC MSet "):
            variables.update(unquote_mset(command.removeprefix("EXEC MSet ")))
            writer.write(b"200 result=0\n")
        else:
            writer.write(b"510 Invalid or unknown command\n")


def _environment(port: int, pbx: str, channel: SimulatedChannel) -> bytes:
    script = f"lookup?pbx={pbx}"
    pairs = [
        ("network", "yes"),
        ("network_script", script),
        ("request", f"agi://127.0.0.1:{port}/{script}"),
        ("channel", channel.name),
        ("language", "en"),
        ("type", "PJSIP"),
        ("uniqueid", channel.uniqueid),
        ("version", "22.0.0-simulated"),
        ("callerid", channel.number or "unknown"),
        ("calleridname", channel.caller_name or "unknown"),
        ("callingpres", "0"),
        ("callingani2", "0"),
        ("callington", "0"),
        ("callingtns", "0"),
        ("dnid", channel.exten),
        ("rdnis", "unknown"),
        ("context", channel.context),
        ("extension", channel.exten),
        ("priority", "2"),
        ("enhanced", "0.0"),
        ("accountcode", ""),
        ("threadid", "140379369133760"),
        ("arg_1", channel.linkedid),
    ]
    return ("".join(f"agi_{key}: {value}\n" for key, value in pairs) + "\n").encode()


def unquote_mset(argument: str) -> dict[str, str]:
    """Takes apart the quoted argument of EXEC MSet as Asterisk does: one AGI layer, one application layer."""
    if argument.startswith('"'):
        argument = _unescaped(argument[1:-1])
    pairs, part, escaped = [], "", False
    for character in argument:
        if escaped or character not in ",\\":
            part, escaped = part + character, False
        elif character == "\\":
            escaped = True
        else:
            pairs.append(part)
            part = ""
    return dict(pair.split("=", 1) for pair in [*pairs, part] if "=" in pair)


def _unescaped(text: str) -> str:
    result, escaped = "", False
    for character in text:
        if character == "\\" and not escaped:
            escaped = True
        else:
            result, escaped = result + character, False
    return result
