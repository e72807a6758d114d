"""What a check is: one observation of a platform, and the value that the stand-in gives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx

T = TypeVar("T")
Observed = Any  # JSON


class NotObserved(Exception):
    """A check could not be made here, which proves nothing. `str()` is the reason."""


@dataclass(frozen=True, kw_only=True)
class Check(Generic[T]):
    """how: what is sent, and what is read from the answer. expects: what the stand-in answers, as JSON."""

    name: str
    how: str
    expects: Observed
    observe: Callable[[T], Observed]


@dataclass(kw_only=True)
class Stage(Generic[T]):
    """Checks that share what they are made on."""

    name: str
    title: str
    checks: list[Check[T]] = field(default_factory=list)

    def check(self, name: str, *, how: str, expects: Observed) -> Callable[[Callable[[T], Observed]], Check[T]]:
        """Declares a function as a check of this stage."""

        def declared(observe: Callable[[T], Observed]) -> Check[T]:
            made = Check(name=name, how=how, expects=expects, observe=observe)
            self.checks.append(made)
            return made

        return declared


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one check saw. verdict: same, differs, or not observed (with the reason)."""

    check: str
    how: str
    stand_in: Observed
    platform: Observed
    verdict: str
    reason: str = ""


SAME, DIFFERS, NOT_OBSERVED = "same", "differs", "not observed"


def make(check: Check[T], subject: T) -> Result:
    """Make one check. An answer of another form than expected is a difference, too; a lost connection is none."""
    try:
        seen = check.observe(subject)
    except NotObserved as problem:
        return result(check, None, NOT_OBSERVED, str(problem))
    except httpx.HTTPError as problem:
        return result(check, None, NOT_OBSERVED, f"no answer ({type(problem).__name__})")
    except Exception as problem:
        return result(check, f"the answer has another form ({type(problem).__name__}: {problem})", DIFFERS)
    return result(check, seen, SAME if seen == check.expects else DIFFERS)


def result(check: Check[Any], seen: Observed, verdict: str, reason: str = "") -> Result:
    return Result(
        check=check.name, how=check.how, stand_in=check.expects, platform=seen, verdict=verdict, reason=reason
    )


def skipped(stage: Stage[Any], reason: str) -> list[Result]:
    """The results of a stage that was not run."""
    return [result(check, None, NOT_OBSERVED, reason) for check in stage.checks]


def outcome(answer: httpx.Response, *words: str) -> dict[str, Any]:
    """Status of an answer, and which of the words it has. Words count without their case."""
    text = answer.text.lower()
    return {"status": answer.status_code, "names": [word for word in words if word.lower() in text]}


@contextlib.contextmanager
def unexpected(what: str) -> Iterator[None]:
    """Turn a failed preparation into the reason that a check could not be made."""
    try:
        yield
    except NotObserved:
        raise
    except (KeyError, TypeError, ValueError, AssertionError) as problem:
        raise NotObserved(f"{what} ({type(problem).__name__}: {problem})") from None
