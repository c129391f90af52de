"""Every error whocalls raises on purpose, and whose fault each one is.

    LookupServiceError
     +- LocalProtocolError      we misused a wire (a bug of ours)
     +- RemoteProtocolError     the peer broke the protocol; `hint` says what to do with it
     +- CommandRefused          the peer understood and said no
     +- Disconnected            the connection ended while something was waiting
     +- HangUp                  the caller hung up in mid-dialogue
     +- DeadlineExceeded        a limit of time ran out
     +- DirectoryUnavailable    a directory could not answer
     +- DatabaseUnavailable     our own database could not answer, or not in time
     |   +- JournalUnavailable  the journal could not take or give rows because of it
     +- BusUnavailable          the bus could not take a message
     +- ConfigError             the configuration is wrong
     +- BadInput                a value a person gave is wrong

The text of each is written for the person who will read it in a log or on a terminal.
"""

__all__ = [
    "BadInput",
    "BusUnavailable",
    "CommandRefused",
    "ConfigError",
    "DatabaseUnavailable",
    "DeadlineExceeded",
    "DirectoryUnavailable",
    "Disconnected",
    "HangUp",
    "JournalUnavailable",
    "LocalProtocolError",
    "LookupServiceError",
    "RemoteProtocolError",
]


class LookupServiceError(Exception):
    """The root: catch this and nothing that is a bug of Python's kind."""


class LocalProtocolError(LookupServiceError):
    """We were about to write something the wire cannot carry."""


class RemoteProtocolError(LookupServiceError):
    """The peer sent what its protocol forbids.

    Args:
        reason: what was wrong, in words for a log.
        hint: what the shell should do: "close" (nothing more can be trusted) or "answer".
    """

    def __init__(self, reason: str, *, hint: str = "close") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class CommandRefused(LookupServiceError):
    """The peer answered a command with an error of its own.

    Args:
        command: what was asked, shortened for a log.
        code: the peer's code (AGI: 510, 511, 520; AMI: 0).
        text: the peer's words.
    """

    def __init__(self, command: str, code: int, text: str) -> None:
        super().__init__(f"{command}: refused with {code} {text}".rstrip())
        self.command = command
        self.code = code
        self.text = text


class Disconnected(LookupServiceError):
    """The connection ended while somebody waited for an answer.

    Args:
        during: what was waited for.
        cause: why the connection ended, in words.
    """

    def __init__(self, during: str, cause: str) -> None:
        super().__init__(f"connection lost during {during}: {cause}")
        self.during = during
        self.cause = cause


class HangUp(LookupServiceError):
    """The caller hung up while the dialogue went on."""


class DeadlineExceeded(LookupServiceError):
    """A limit of time ran out.

    Args:
        what: what was waited for.
        seconds: the limit.
    """

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} took longer than {seconds:g} s")
        self.what = what
        self.seconds = seconds


class DirectoryUnavailable(LookupServiceError):
    """A directory could not answer.

    Args:
        directory: its name in the configuration.
        cause: why.
    """

    def __init__(self, directory: str, cause: str) -> None:
        super().__init__(f"directory {directory!r} is unavailable: {cause}")
        self.directory = directory
        self.cause = cause


class DatabaseUnavailable(LookupServiceError):
    """Our own database is away, busy, or did not answer in time."""


class JournalUnavailable(DatabaseUnavailable):
    """The journal's database could not take or give rows; the change is not lost, it is spooled."""


class BusUnavailable(LookupServiceError):
    """The bus could not take a message; the events table still has it."""


class ConfigError(LookupServiceError):
    """The configuration is wrong.

    Args:
        file: the file read, or "environment".
        key: dotted name of the key, as a person would write it.
        reason: what is wrong and what would be right.
    """

    def __init__(self, file: str, key: str, reason: str) -> None:
        super().__init__(f"{file}: {key}: {reason}")
        self.file = file
        self.key = key
        self.reason = reason


class BadInput(LookupServiceError):
    """A value that a person or a program gave is wrong.

    Args:
        what: the field, column or argument.
        reason: what is wrong and what would be right.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.what = what
        self.reason = reason
