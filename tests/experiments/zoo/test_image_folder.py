from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.zoo.datasets import load_dataset

GREY, RED, BLUE = 128, (200, 0, 0), (0, 0, 200)


def put(path: Path, colour=GREY, size=(6, 4)) -> Path:
    """A plain image of (width, height) pixels; grey if its colour is one number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = "L" if isinstance(colour, int) else "RGB"
    Image.new(mode, size, colour).save(path)
    return path


def tree(root: Path, colours=(RED, BLUE), count=5, size=(6, 4)) -> Path:
    for name, colour in zip(("cat", "dog"), colours, strict=True):
        for number in range(count):
            put(root / name / f"{number}.png", colour, size)
    return root


def load(root: Path, suffix: str = ""):
    return load_dataset(f"folder:{root}{suffix}")


def test_each_folder_is_a_class(tmp_path):
    dataset = load(tree(tmp_path))
    assert dataset.classes == ("cat", "dog")
    assert dataset.name == f"folder:{tmp_path}"
    for image, label in zip(dataset.train.inputs, dataset.train.labels, strict=True):
        assert tuple(image[:, 0, 0].tolist()) == (RED, BLUE)[label]


def test_a_fifth_of_each_class_is_the_test_split(tmp_path):
    dataset = load(tree(tmp_path, count=10))
    assert torch.bincount(dataset.train.labels).tolist() == [8, 8]
    assert torch.bincount(dataset.test.labels).tolist() == [2, 2]


def test_the_cut_loses_and_repeats_no_image_and_is_the_same_every_time(tmp_path):
    for name in ("cat", "dog"):
        for number in range(10):
            put(tmp_path / name / f"{number}.png", number)
    first, second = load(tmp_path), load(tmp_path)
    assert first.test.inputs.equal(second.test.inputs)
    both = torch.cat([first.train.inputs, first.test.inputs])[:, 0, 0, 0]
    assert sorted(both.tolist()) == sorted([*range(10)] * 2)


def test_given_train_and_test_folders_are_kept(tmp_path):
    tree(tmp_path / "train", count=3)
    tree(tmp_path / "test", count=2)
    dataset = load(tmp_path)
    assert (len(dataset.train), len(dataset.test)) == (6, 4)
    assert dataset.test.labels.tolist() == [0, 0, 1, 1]


def test_grey_images_have_one_channel(tmp_path):
    dataset = load(tree(tmp_path, (10, 20)))
    assert dataset.input_shape == (1, 4, 6)
    assert dataset.train.inputs.unique().tolist() == [10, 20]


def test_one_colour_image_makes_all_of_them_colour(tmp_path):
    dataset = load(tree(tmp_path, (10, RED)))
    assert dataset.channels == 3
    cat = dataset.train.inputs[dataset.train.labels == 0]
    assert cat.unique().tolist() == [10]


def test_a_colour_image_in_the_test_split_counts_too(tmp_path):
    tree(tmp_path / "train", (10, 20))
    tree(tmp_path / "test", (10, RED))
    assert load(tmp_path).train.inputs.shape[1] == 3


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG", "bmp", "webp", "gif"])
def test_the_common_formats_are_read(tmp_path, suffix):
    for name in ("cat", "dog"):
        for number in range(2):
            put(tmp_path / name / f"{number}.{suffix}", (200, 100, 50), (8, 8))
    pixels = load(tmp_path).train.inputs.float().mean((0, 2, 3))
    torch.testing.assert_close(pixels, torch.tensor([200.0, 100.0, 50.0]), atol=6, rtol=0)


def test_palettes_and_transparency_become_colour(tmp_path):
    tree(tmp_path)
    Image.new("RGBA", (6, 4), (*RED, 9)).save(tmp_path / "cat" / "0.png")
    Image.new("P", (6, 4)).save(tmp_path / "cat" / "1.png")
    assert load(tmp_path).input_shape == (3, 4, 6)


def test_other_files_and_hidden_folders_are_ignored(tmp_path):
    tree(tmp_path)
    (tmp_path / "cat" / "notes.txt").write_text("nice cats")
    (tmp_path / "README").write_text("two classes")
    (tmp_path / ".cache").mkdir()
    dataset = load(tmp_path)
    assert len(dataset.train) + len(dataset.test) == 10
    assert dataset.classes == ("cat", "dog")


def test_images_get_the_size_of_the_first(tmp_path):
    tree(tmp_path)
    put(tmp_path / "dog" / "wide.png", BLUE, (50, 10))
    dataset = load(tmp_path)
    assert dataset.input_shape == (3, 4, 6)
    assert dataset.test.inputs.shape[1:] == (3, 4, 6)


def test_large_images_shrink_to_64_pixels_on_the_long_side(tmp_path):
    assert load(tree(tmp_path, size=(320, 160), count=2)).input_shape == (3, 32, 64)


def test_a_size_can_be_asked_for(tmp_path):
    dataset = load(tree(tmp_path), "@12")
    assert dataset.input_shape == (3, 12, 12)
    assert dataset.name.endswith("@12")


def test_what_does_not_fit_is_cropped_around_the_centre(tmp_path):
    tree(tmp_path / "train", (0, 0), size=(4, 4))
    tree(tmp_path / "test", (0, 0), size=(4, 4))
    stripes = np.zeros((4, 12), np.uint8)
    stripes[:, 4:8] = 255
    Image.fromarray(stripes).save(tmp_path / "test" / "cat" / "0.png")
    assert load(tmp_path).test.inputs[0].unique().tolist() == [255]


def test_photographs_are_turned_upright(tmp_path):
    orientation, quarter_turn = 0x0112, 6
    exif = Image.Exif()
    exif[orientation] = quarter_turn
    for name in ("cat", "dog"):
        for number in range(2):
            path = put(tmp_path / name / f"{number}.jpg", GREY, (8, 4))
            Image.new("L", (8, 4), GREY).save(path, exif=exif)
    assert load(tmp_path).input_shape == (1, 8, 4)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such folder; give folder:PATH"):
        load(tmp_path / "nowhere")


def test_a_folder_without_classes_is_refused(tmp_path):
    put(tmp_path / "0.png")
    with pytest.raises(ValueError, match="0 class folders; give at least two"):
        load(tmp_path)


def test_a_class_without_images_is_refused(tmp_path):
    (tree(tmp_path) / "emu").mkdir()
    with pytest.raises(ValueError, match=r"emu: no images in this class"):
        load(tmp_path)


def test_a_class_of_one_image_cannot_be_cut(tmp_path):
    put(tree(tmp_path) / "emu" / "0.png")
    with pytest.raises(ValueError, match=r"emu: one image cannot be split"):
        load(tmp_path)


def test_train_and_test_of_different_classes_are_refused(tmp_path):
    tree(tmp_path / "train")
    put(tree(tmp_path / "test") / "emu" / "0.png")
    with pytest.raises(ValueError, match=r"different classes \(emu in only one of them\)"):
        load(tmp_path)


@pytest.mark.parametrize("damage", [lambda b: b"not an image", lambda b: b[:-30], lambda b: b""])
def test_an_unreadable_image_is_named(tmp_path, damage):
    path = tree(tmp_path) / "dog" / "3.png"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"3\.png: not a readable image"):
        load(tmp_path)


def test_pixels_of_16_bits_are_refused(tmp_path):
    path = tree(tmp_path) / "dog" / "3.png"
    Image.fromarray(np.full((4, 6), 40_000, np.uint16)).save(path)
    with pytest.raises(ValueError, match=r"3\.png: pixels of mode I;16"):
        load(tmp_path)


def test_images_of_no_pixels_are_refused(tmp_path):
    with pytest.raises(ValueError, match="@0: images of 0 pixels"):
        load(tree(tmp_path), "@0")
