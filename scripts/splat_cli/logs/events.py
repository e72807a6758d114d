"""Log events: from a worker's entry or the app's books to one line, in order of time. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.runpod.client import LogEntry
from scripts.splat_cli.edge_client import Job, Project
from scripts.splat_cli.show import STAGE_WORDS, seconds, usd

MASK = "***"
SECRET_LENGTH_MIN = 8  # a shorter value would blank ordinary words
# What opens something, whoever issued it: keys by their prefixes, signatures, capabilities, sign-in and share links.
_SECRET_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?i)(?<=bearer )[\w.~+/=-]{8,}",
        r"\b(?:rpa|splat|whsec|ghp|gho|github_pat)_[\w+/=-]{8,}",
        r"(?i)(?<=x-amz-signature=)[0-9a-f]+",
        r"(?i)(?<=x-amz-credential=)[^&\s\"]+",
        r"(?<=/api/hooks/runpod/)[\w.~-]+",
        r"(?<=/api/hooks/progress/)[\w.~-]+",
        r"(?<=/login/)[\w-]{20,}",
        r"(?<=/s/)p_[\w.-]{20,}",
        r"(?i)(?<=password=)[^\s&\"]+",
    )
)


@dataclass(frozen=True, kw_only=True)
class LogEvent:
    """source: container, system (RunPod about a worker) or app. who: id of the worker or project."""

    at: datetime
    source: str
    who: str
    line: str

    @property
    def same(self) -> tuple[datetime, str, str, str]:
        """Equal for the same event read twice, although the scene was renamed or deleted meanwhile."""
        return self.at, self.source, self.who, self.line.partition(": ")[2] if self.source == "app" else self.line


class Masker:
    """Replaces the stack's secrets, and everything that has the form of one."""

    def __init__(self, secrets: Collection[str]) -> None:
        # Longest first: a secret may be part of another.
        self._secrets = sorted({one for one in secrets if len(one) >= SECRET_LENGTH_MIN}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        for form in _SECRET_FORMS:
            text = form.sub(MASK, text)
        return text


def of_worker(worker: str, entry: LogEntry) -> LogEvent:
    """The SDK prints JSON lines on the platform; of them only level and message are kept."""
    line = entry.line
    if line.startswith("{"):
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if isinstance(told, dict) and "message" in told:
            line = f"{told.get('level', 'INFO')} {told['message']}"
    return LogEvent(at=moment(entry.ts), source=entry.source or "container", who=worker, line=line)


def of_job(job: Job) -> Iterator[LogEvent]:
    """What the app recorded about an attempt: submitted, started, ended."""
    name = f"{job.name or 'a deleted scene'}, attempt {job.attempt}"

    def event(at: datetime, line: str) -> LogEvent:
        return LogEvent(at=at, source="app", who=job.project_id, line=f"{name}: {line}")

    yield event(job.submitted_at, f"submitted, {job.photos} photos, preset {job.preset}")
    if job.started_at is not None:
        yield event(job.started_at, "started")
    if job.ended_at is not None:
        took = f" after {seconds(job.seconds)}" if job.seconds is not None else ""
        why = f": {job.error.code} {job.error.message}" if job.error is not None else ""
        yield event(job.ended_at, f"{job.state or 'ended'}{took}, {usd(job.usd)}{why}")


def of_progress(project: Project) -> Iterator[LogEvent]:
    """The newest progress of a running attempt."""
    progress = project.progress
    if progress is not None and progress.at:
        stage = STAGE_WORDS.get(progress.stage, progress.stage)
        line = f"{project.name}, attempt {project.attempt}: {stage} {progress.fraction:.0%}, {progress.message}"
        yield LogEvent(at=moment(progress.at), source="app", who=project.id, line=line)


def moment(text: str) -> datetime:
    """An RFC 3339 time, also with nanoseconds. The start of 1970 for anything else, so that the line is still shown."""
    try:
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00")))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def merged(events: Iterable[LogEvent], *, since: datetime, until: datetime | None = None) -> list[LogEvent]:
    """Events of a span in order of time; events of the same moment keep their order."""
    wanted = (one for one in events if one.at >= since and (until is None or one.at <= until))
    return sorted(wanted, key=lambda one: one.at)


def text_of(event: LogEvent, mask: Masker) -> str:
    return f"{event.at:%Y-%m-%d %H:%M:%S} {event.source:<9} {event.who:<18} {mask(event.line)}"


def json_of(event: LogEvent, mask: Masker) -> str:
    row = {"at": event.at.isoformat(), "source": event.source, "who": event.who, "line": mask(event.line)}
    return json.dumps(row, ensure_ascii=False)
