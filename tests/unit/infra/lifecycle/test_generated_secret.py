"""Generated secrets and their rotation."""

from __future__ import annotations

import base64

from infra.lifecycle.generated_secret import GeneratedSecretProvider

INPUTS = {"generation": 1.0, "keepPrevious": True}


def test_a_generated_secret_has_32_random_bytes() -> None:
    one, two = GeneratedSecretProvider().create(INPUTS), GeneratedSecretProvider().create(INPUTS)
    assert one.outs is not None
    assert two.outs is not None
    assert len(base64.b64decode(one.outs["current"])) == 32
    assert one.outs["current"] != two.outs["current"]
    assert one.id != two.id


def test_a_rotation_keeps_the_previous_secret_until_it_is_ended() -> None:
    provider = GeneratedSecretProvider()
    first = dict(provider.create(INPUTS).outs or {})
    second = dict(provider.update("id", first, {**INPUTS, "generation": 2.0}).outs or {})
    assert second["current"] != first["current"]
    assert second["previous"] == first["current"]
    ended = dict(provider.update("id", second, {**INPUTS, "generation": 2.0, "keepPrevious": False}).outs or {})
    assert (ended["current"], ended["previous"]) == (second["current"], "")
