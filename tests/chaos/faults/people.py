"""What people do at the wrong moment: two tabs, a replaced photo, an upload after its address has expired."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from tests.chaos.faults.base import Fault, Lasting
from tests.chaos.faults.edge import EdgeClock, at_once
from tests.chaos.scene import Scene


@dataclass(frozen=True)
class Cancelled(Lasting):
    """The person cancels, while something else is broken."""

    meanwhile: tuple[Fault, ...] = ()

    def strike(self, scene: Scene) -> None:
        for fault in self.meanwhile:
            fault.strike(scene)
        scene.cancel()

    def end(self, scene: Scene) -> None:
        for fault in self.meanwhile:
            fault.end(scene)


@dataclass(frozen=True)
class PhotoReplaced(Lasting):
    """After its upload, a photo is overwritten with other bytes of the same length."""

    content: bytes

    def strike(self, scene: Scene) -> None:
        name, before = next(iter(scene.photos.items()))
        body = self.content * (len(before) // len(self.content) + 1)
        scene.photos[name] = body[: len(before)]
        key = f"projects/{scene.id}/photos/{name}"
        scene.cloud.bucket().put_object(Bucket=scene.cloud.texts["S3_BUCKET"], Key=key, Body=scene.photos[name])


@dataclass(frozen=True)
class UploadExpired(Lasting):
    """A browser comes back with an upload whose address has expired, and asks for another."""

    seconds: int

    def strike(self, scene: Scene) -> None:
        late = b"\xff\xd8\xff\xe0" + bytes(5000)
        [upload] = scene.declare([late])
        EdgeClock(self.seconds).strike(scene)
        assert scene.put(upload, late).status_code == 403
        [again] = scene.declare([late])
        assert again["as"] == upload["as"], "the photo has two places"
        assert scene.put(again, late).status_code == 200
        scene.photos[again["as"]] = late

    @property
    def is_possible(self) -> bool:
        return EdgeClock(self.seconds).is_possible


@dataclass(frozen=True)
class StartedInTwoTabs(Lasting):
    """Two tabs start the same project at the same time: one job."""

    def strike(self, scene: Scene) -> None:
        answers = at_once([scene.ask_to_start, scene.ask_to_start])
        _one_wins(answers)
        scene.started = True


@dataclass(frozen=True)
class CancelledInTwoTabs(Lasting):
    """Two tabs cancel at the same time."""

    def strike(self, scene: Scene) -> None:
        _one_wins(at_once([scene.ask_to_cancel, scene.ask_to_cancel]))


@dataclass(frozen=True)
class PhotoDeletedWhileItRuns(Lasting):
    """Another tab deletes a photo of a job that runs: refused."""

    def strike(self, scene: Scene) -> None:
        name = next(iter(scene.photos))
        answer = scene.cloud.edge("DELETE", f"/api/projects/{scene.id}/photos/{name}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT"), answer.text


def _one_wins(answers: list[httpx.Response]) -> None:
    codes = sorted(one.status_code for one in answers)
    assert codes == [202, 409], [one.text for one in answers]
    [lost] = [one for one in answers if one.status_code == 409]
    assert lost.json()["error"]["code"] == "CONFLICT"
