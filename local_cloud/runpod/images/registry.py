"""Which images exist and how a worker of each starts: the registry and the container runtime.
Starts nothing. Reads the images file on each call, so that the supervisor can rewrite it."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from local_cloud.runpod.core.problems import bad_request
from local_cloud.runpod.images.copies import Copies


class RegistryLogin(BaseModel):
    """A login that the registry of a private image accepts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: str
    password: str


class Sources(BaseModel):
    """A folder that is an image, and the command that prints the digest of the folder in its last argument."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str
    hash_command: list[str] = Field(min_length=1)


class Image(BaseModel):
    """How to start a worker of an image: argv, working folder, environment baked into the image.

    With `private` only an endpoint whose registry credential is one of these logins can use it; several,
    because a registry takes the old and the new password while one replaces the other. With `sources`, each
    digest is a copy of a folder (copies.py), and `{image}` in command, cwd and env stands for that copy.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: list[str] = Field(min_length=1)
    cwd: str | None = None
    env: dict[str, str] = Field(default_factory=dict)
    private: list[RegistryLogin] = Field(default_factory=list)
    sources: Sources | None = None

    def at(self, copy: Path) -> Image:
        """The same image with `{image}` replaced."""

        def filled(text: str) -> str:
            return text.replace("{image}", str(copy))

        return self.model_copy(
            update={
                "command": [filled(word) for word in self.command],
                "cwd": None if self.cwd is None else filled(self.cwd),
                "env": {name: filled(value) for name, value in self.env.items()},
            }
        )


_IMAGES = TypeAdapter(dict[str, Image])

ANY = "*"  # key of the image of every repository that has no key of its own
# distribution/reference: optional host[:port]/, lower-case path components, optional :tag and @digest.
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d+)?/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)


class ImagesFileInvalid(Exception):
    """The images file cannot be used; the message names the file and the field."""


def echo_image() -> Image:
    """Every image without an images file: a worker that returns its input."""
    return Image(
        # -P: without it Python would import this stand-in as `runpod`, from the program's own folder.
        command=[_python_with_the_sdk(), "-P", str(Path(__file__).parents[2] / "echo_worker.py")],
        env={"RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true", "RUNPOD_SKIP_GPU_CHECK": "true"},
    )


def _python_with_the_sdk() -> str:
    """This interpreter if it has the SDK (test environment), else the checkout's worker environment."""
    if importlib.util.find_spec("runpod") is not None:
        return sys.executable
    return str(Path(__file__).parents[3] / ".venv-worker" / "bin" / "python")


def repository_of(reference: str) -> str:
    """`host/name:tag@sha256:...` -> `host/name`."""
    name = reference.split("@", 1)[0]
    head, slash, tail = name.rpartition("/")
    return f"{head}{slash}{tail.split(':', 1)[0]}"


class Images:
    def __init__(self, file: Path | None, copies: Copies | None = None) -> None:
        self._file = file
        self._copies = copies

    def load(self) -> dict[str, Image]:
        """All images by repository; without a file every image echoes. Raises ImagesFileInvalid."""
        if self._file is None:
            return {ANY: echo_image()}
        try:
            return _IMAGES.validate_python(json.loads(self._file.read_text()))
        except (OSError, json.JSONDecodeError, ValidationError) as error:
            raise ImagesFileInvalid(
                f"images file {self._file} cannot be used: {error}. "
                'Expected {"<repository>": {"command": [...], "cwd"?: "...", "env"?: {...}, '
                '"private"?: [{"username", "password"}], "sources"?: {"folder", "hash_command"}}}, '
                '"*" for any other repository.'
            ) from error

    def resolve(self, reference: str, login: tuple[str, str] | None = None) -> Image:
        """The image of a reference, by (user name, password) where it is private; else Problem 400."""
        images = self.load()
        found = None
        if _REFERENCE.fullmatch(reference):
            found = images.get(repository_of(reference)) or images.get(ANY)
        if found is None:
            known = ", ".join(sorted(images)) or "none"
            raise bad_request(f"image {reference!r} could not be resolved (repositories known here: {known})")
        if found.private and login not in [(one.username, one.password) for one in found.private]:
            raise bad_request(f"image {reference!r} could not be resolved: the registry refused the credential")
        if found.sources is None or self._copies is None:
            return found
        copy = self._copies.of(reference, Path(found.sources.folder), found.sources.hash_command)
        if copy is None:
            raise bad_request(f"image {reference!r} could not be resolved: {found.sources.folder} has no such digest")
        return found.at(copy)
