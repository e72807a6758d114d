"""Which images exist here and how a worker of one is started: the registry and the container runtime.
Never starts anything; reads the images file afresh each time, so that the supervisor may rewrite it."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .problems import bad_request


class RegistryLogin(BaseModel):
    """What a private image's registry wants to see."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: str
    password: str


class Image(BaseModel):
    """How to start a worker of an image: argv, working folder, environment baked into the image.

    With `private` only an endpoint whose registry credential is this login can use it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: list[str] = Field(min_length=1)
    cwd: str | None = None
    env: dict[str, str] = Field(default_factory=dict)
    private: RegistryLogin | None = None


_IMAGES = TypeAdapter(dict[str, Image])


class ImagesFileInvalid(Exception):
    """The images file cannot be used; the message names the file and the field."""


def repository_of(reference: str) -> str:
    """`host/name:tag@sha256:...` -> `host/name`."""
    name = reference.split("@", 1)[0]
    head, slash, tail = name.rpartition("/")
    return f"{head}{slash}{tail.split(':', 1)[0]}"


class Images:
    def __init__(self, file: Path | None) -> None:
        self._file = file

    def load(self) -> dict[str, Image]:
        """All images by repository; raises ImagesFileInvalid."""
        if self._file is None:
            return {}
        try:
            return _IMAGES.validate_python(json.loads(self._file.read_text()))
        except (OSError, json.JSONDecodeError, ValidationError) as error:
            raise ImagesFileInvalid(
                f"images file {self._file} cannot be used: {error}. "
                'Expected {"<repository>": {"command": [...], "cwd"?: "...", "env"?: {...}, '
                '"private"?: {"username", "password"}}}.'
            ) from error

    def resolve(self, reference: str, login: tuple[str, str] | None = None) -> Image:
        """The image of a reference, by (user name, password) where it is private; else Problem 400."""
        images = self.load()
        found = images.get(repository_of(reference))
        if found is None:
            known = ", ".join(sorted(images)) or "none"
            raise bad_request(f"image {reference!r} could not be resolved (repositories known here: {known})")
        if found.private is not None and login != (found.private.username, found.private.password):
            raise bad_request(f"image {reference!r} could not be resolved: the registry refused the credential")
        return found
