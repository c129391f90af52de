"""Which live calls the operator on phone 101 sees: one table for every place that has the rule.

The places: `webhooks.access.may_see`, `webhooks.frames.Scope`, `fastagi.journal.reading`, and list.js.
"""

__all__ = ["CASES", "PHONES"]

PHONES = ("101", "111")

CASES: list[tuple[str | None, tuple[str, ...], bool]] = [
    # Phone that answered, phones that ring, whether it is seen.
    (None, (), True),
    (None, ("102",), True),
    (None, ("101",), True),
    ("101", (), True),
    ("111", (), True),
    ("101", ("102",), True),
    ("102", (), False),
    ("102", ("103",), False),
    ("102", ("101",), True),
    ("102", ("103", "111"), True),
    ("102", ("1011", "0101", "10"), False),
]
