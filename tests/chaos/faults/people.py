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
    """After its upload, a photo is overwritten with other bytes, past the app. length: None for the same as before.
    more: what else the bucket stores with them."""

    content: bytes
    length: int | None = None
    more: tuple[tuple[str, str], ...] = ()

    def strike(self, scene: Scene) -> None:
        name, before = next(iter(scene.photos.items()))
        scene.advised.append(lambda: self._upload_again(scene, name, before))
        length = self.length or len(before)
        scene.photos[name] = (self.content * (length // len(self.content) + 1))[:length]
        key = f"projects/{scene.id}/photos/{name}"
        bucket = scene.cloud.texts["S3_BUCKET"]
        scene.cloud.bucket().put_object(Bucket=bucket, Key=key, Body=scene.photos[name], **dict(self.more))

    def _upload_again(self, scene: Scene, name: str, content: bytes) -> None:
        """As the app advises: delete the photo, and upload it again."""
        assert scene.cloud.edge("DELETE", f"/api/projects/{scene.id}/photos/{name}").is_success
        del scene.photos[name]
        [upload] = scene.declare([content])
        assert scene.put(upload, content).status_code == 200
        scene.photos[upload["as"]] = content


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
class JobAddressesExpired(Lasting):
    """Time passes until the addresses of a job that trains have expired. Its worker can save nothing any more."""

    seconds: int

    def strike(self, scene: Scene) -> None:
        EdgeClock(self.seconds).strike(scene)
        trained = scene.work()
        scene.at_end(lambda: self._check_refused(scene.work().removeprefix(trained)))

    def _check_refused(self, work: str) -> None:
        """The worker trained on to the end, and the bucket took none of its checkpoints."""
        first, _, _ = work.partition(" begins")
        assert "unit 19" in first, f"the worker was stopped before it met an expired address: {work}"
        assert "saved" not in first, f"the bucket took a checkpoint: {work}"

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
