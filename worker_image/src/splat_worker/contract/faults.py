"""Words for a value that does not fit its type, without the value, which may be a presigned URL."""

from __future__ import annotations

import re

from pydantic import ValidationError


def first_fault(error: ValidationError, whole: str) -> str:
    """The first invalid field and why, as one sentence. whole: how to call the value itself."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    first = faults[0]
    where = ".".join(str(part) for part in first["loc"]) or whole
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    where = re.sub(r"[^A-Za-z0-9_. -]", "?", where)[:120]
    fault = "its format is invalid" if first["type"] == "string_pattern_mismatch" else first["msg"]
    return f"{where}: {fault}{more}."
