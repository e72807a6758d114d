"""COLMAP's own files pass; a cut or a wrong count is found before COLMAP reads it."""

from __future__ import annotations

import pycolmap
import pytest

from splat_worker.sfm.model_files import FILES, check_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("model")
    options = pycolmap.SyntheticDatasetOptions()
    options.num_points3D = 50
    pycolmap.synthesize_dataset(options).write(folder)
    return {path.name: path.read_bytes() for path in folder.glob("*.bin")}


def test_a_model_that_colmap_wrote_passes(model: dict[str, bytes]) -> None:
    assert set(model) == set(FILES)
    check_model(model)


@pytest.mark.parametrize("name", ["images.bin", "points3D.bin"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_file_is_found(name: str, share: float, model: dict[str, bytes]) -> None:
    content = model[name]
    with pytest.raises(ValueError, match=r"ends early|counts"):
        check_model({**model, name: content[: int(share * len(content))]})


@pytest.mark.parametrize("name", FILES)
def test_a_count_beyond_the_bytes_is_found(name: str, model: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="counts"):
        check_model({**model, name: (1 << 40).to_bytes(8, "little") + model[name][8:]})
