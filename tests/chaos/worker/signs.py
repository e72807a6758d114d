"""Files in the folder GATES through which a row and the worker's processes meet.

`<project>.<stage>`: the job waits there while the file exists, after it wrote `….reached`.
`<project>.<stage>.act`: what goes wrong there, once for each line. `<project>.work`: what the job has done.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

GATES = Path(os.environ["GATES"])


def pass_gate(project_id: str, stage: str) -> None:
    gate = GATES / f"{project_id}.{stage}"
    if gate.exists():
        gate.with_name(f"{gate.name}.reached").write_text(str(time.monotonic()))
    while gate.exists():
        time.sleep(0.02)


def take_act(project_id: str, stage: str) -> str:
    """The next act for this stage, which is then used up; "" for none."""
    file = GATES / f"{project_id}.{stage}.act"
    if not file.exists():
        return ""
    first, *others = file.read_text().split()
    if others:
        file.write_text("\n".join(others))
    else:
        file.unlink()
    return first


def log_work(project_id: str, line: str) -> None:
    """Append a line. On disk at once: the process may be killed next."""
    with (GATES / f"{project_id}.work").open("a") as file:
        file.write(f"{os.getpid()} {line}\n")
