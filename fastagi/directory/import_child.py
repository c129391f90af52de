"""`import_csv` in a child process: for a service whose loop must not share an interpreter with a million rows.

The parent writes one JSON object to the child's standard input (an address with a password has no place on a command
line), the child writes one to each line of its output: {"done": bytes, "total": bytes} after each batch, at the end
{"report": …} or {"error": kind, "arguments": [what, why]}.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from fastagi.directory.importer import ImportReport, Progress, import_csv
from fastagi.errors import BadInput, DatabaseUnavailable
from fastagi.numbers import Numbers

__all__ = ["import_in_child"]

ERRORS = {"BadInput": BadInput, "DatabaseUnavailable": DatabaseUnavailable}


def import_in_child(
    path: Path, database_url: str, numbers: Numbers, *, progress: Progress | None = None
) -> ImportReport:
    """Does what `import_csv` does, in another process; it blocks, so call it on a thread.

    Raises:
        BadInput: as import_csv.
        DatabaseUnavailable: as import_csv, or the child died.
    """
    order = {
        "path": str(path.absolute()),
        "database_url": database_url,
        "region": numbers.region,
        "internal": numbers.internal,
        "prefixes": numbers.prefixes,
    }
    child = subprocess.Popen(  # noqa: S603 (our own module)
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):  # it died already; its code is told below
                child.stdin.write(json.dumps(order))
                child.stdin.close()
            for line in child.stdout:
                told = json.loads(line)
                if "done" not in told:
                    return _result(told)
                if progress is not None:
                    progress(told["done"], told["total"])
        except BaseException:
            child.kill()
            raise
    raise DatabaseUnavailable(f"the import's process ended with code {child.returncode}; its log says why")


def _result(told: dict[str, Any]) -> ImportReport:
    if "error" in told:
        raise ERRORS[told["error"]](*told["arguments"])
    report = told["report"]
    for name in ("rejected", "remarks"):
        report[name] = tuple((line, words) for line, words in report[name])
    return ImportReport(**report)


def _serve(order: dict[str, Any], answers: IO[str]) -> None:
    """Runs in the child."""

    def tell(told: dict[str, Any]) -> None:
        print(json.dumps(told), file=answers, flush=True)

    numbers = Numbers(order["region"], order["internal"], order["prefixes"])
    try:
        report = import_csv(
            Path(order["path"]),
            order["database_url"],
            numbers,
            progress=lambda done, total: tell({"done": done, "total": total}),
        )
    except BadInput as error:
        tell({"error": "BadInput", "arguments": [error.what, error.reason]})
    except DatabaseUnavailable as error:
        tell({"error": "DatabaseUnavailable", "arguments": [str(error)]})
    else:
        tell({"report": dataclasses.asdict(report)})


if __name__ == "__main__":
    _serve(json.load(sys.stdin), sys.stdout)
