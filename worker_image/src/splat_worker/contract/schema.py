"""Publishes the job contract as JSON Schema: `python -m splat_worker.contract.schema docs/contracts`.
A test fails if the published files differ from the types.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from splat_worker.contract.edit import Edit
from splat_worker.contract.job_input import EditJobInput, JobInput, PlainJobInput
from splat_worker.contract.job_report import FailedOutput, Report

SCHEMAS: dict[str, type[BaseModel]] = {
    "job-input.schema.json": JobInput,
    "job-input-edit.schema.json": EditJobInput,
    "job-input-plain.schema.json": PlainJobInput,
    "job-report.schema.json": Report,
    "job-failure.schema.json": FailedOutput,
    "edit.schema.json": Edit,
}


def schema_text(model: type[BaseModel]) -> str:
    """The schema as published: draft 2020-12, stable order, a newline at the end."""
    mode: Any = "validation" if model in (JobInput, EditJobInput, PlainJobInput, Edit) else "serialization"
    schema = TypeAdapter(model).json_schema(mode=mode)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


def main(argv: list[str]) -> int:
    if len(argv) != 1:
        print("usage: python -m splat_worker.contract.schema FOLDER", file=sys.stderr)
        return 1
    for name, model in SCHEMAS.items():
        (Path(argv[0]) / name).write_text(schema_text(model))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
