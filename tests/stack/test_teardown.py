"""Every kind of stack goes without a trace: its bucket full, and the protected one only after its protection is off.
Jobs that run meanwhile are in test_running_jobs.py, half-made stacks in test_every_step.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.stack.conftest import LocalCloud
from tests.stack.support.rig import WHOLE, Rig

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(300)]

PINNED = "ghcr.io/team/splat-worker@sha256:" + "a" * 64


@pytest.fixture
def deploy(
    cloud: LocalCloud, engine_path: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Rig]]:
    """A stack of the committed file of that name on the local cloud, with a pinned image."""
    monkeypatch.setenv("PATH", engine_path)
    made: list[Rig] = []

    def up(stack: str) -> Rig:
        rig = Rig(tmp_path_factory.mktemp(stack), cloud, engine_path, stack=stack)
        made.append(rig)
        rig.set(image=PINNED, cloudflareAccountId="0" * 32, workersSubdomain="team")
        run = rig.up()
        assert run.code == 0, run.said
        return rig

    yield up
    for rig in made:
        rig.close()
    cloud.assert_empty()


def fill(cloud: LocalCloud, bucket: str) -> None:
    s3 = cloud.s3()
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"projects/p/photos/{number}.jpg", Body=b"photo")
    s3.create_multipart_upload(Bucket=bucket, Key="projects/p/half")


@pytest.mark.parametrize("stack", ["dev", "review"])  # local: test_whole_life.py
def test_a_destroy_leaves_nothing_although_the_bucket_is_full(
    deploy: Callable[[str], Rig], cloud: LocalCloud, stack: str
) -> None:
    rig = deploy(stack)
    assert rig.inventory() == WHOLE
    fill(cloud, f"photo-splat-{stack}")

    ended = rig.destroy()

    assert ended.code == 0, ended.said
    assert rig.inventory() == {}


def test_a_protected_stack_goes_only_when_its_protection_is_off(
    deploy: Callable[[str], Rig], cloud: LocalCloud
) -> None:
    rig = deploy("prod")
    fill(cloud, "photo-splat-prod")

    refused = rig.destroy()

    assert refused.code != 0
    assert "protect" in refused.said
    assert rig.inventory() == WHOLE
    rig.set(protect="false")
    changed = rig.up()
    assert changed.code == 0, changed.said
    ended = rig.destroy()
    assert ended.code == 0, ended.said
    assert rig.inventory() == {}
