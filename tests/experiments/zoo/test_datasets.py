import subprocess
import sys

import pytest
import torch

from experiments.zoo.datasets import DATASETS, load_dataset


def test_digits_are_whole():
    digits = load_dataset("digits")
    assert digits.name == "digits"
    assert digits.input_shape == (1, 8, 8)
    assert len(digits.train) + len(digits.test) == 1797
    assert digits.classes == tuple("0123456789")


def test_a_fifth_of_the_digits_is_for_testing_with_every_class_in_it():
    digits = load_dataset("digits")
    assert len(digits.test) == 360
    assert torch.bincount(digits.test.labels, minlength=10).min() >= 34


def test_digits_use_the_whole_range_of_a_byte():
    pixels = load_dataset("digits").train.inputs
    assert pixels.dtype == torch.uint8
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert len(pixels.unique()) == 17


def test_digits_are_cut_the_same_way_every_time():
    first, second = load_dataset("digits"), load_dataset("digits")
    assert first.test.inputs.equal(second.test.inputs)
    assert first.train.labels.equal(second.train.labels)


def test_digits_belong_to_their_labels():
    # Nearest class mean reads most digits: shuffled labels would give about a tenth.
    digits = load_dataset("digits")
    train, test = digits.train.floats().flatten(1), digits.test.floats().flatten(1)
    means = torch.stack([train[digits.train.labels == label].mean(0) for label in range(10)])
    accuracy = (torch.cdist(test, means).argmin(1) == digits.test.labels).float().mean()
    assert accuracy > 0.85


def test_a_wrong_name_gets_a_suggestion_and_all_forms():
    with pytest.raises(LookupError, match="did you mean 'fashion-mnist'") as raised:
        load_dataset("fashion-mist")
    for form in (*DATASETS, "folder:PATH", "package.module:function"):
        assert form in str(raised.value)


def test_an_error_inside_a_loader_is_not_taken_for_a_wrong_name(monkeypatch):
    def broken():
        raise LookupError("inside")

    monkeypatch.setitem(DATASETS, "broken", broken)
    with pytest.raises(LookupError, match=r"^inside$"):
        load_dataset("broken")


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A user's module: `digits()` gives a data set, `number()` does not."""
    (tmp_path / "users_own_images.py").write_text(
        "from experiments.zoo.uci_digits import digits\n\n\ndef number():\n    return 5\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "users_own_images"


def test_a_function_of_ones_own_is_called(module):
    assert load_dataset(f"{module}:digits").input_shape == (1, 8, 8)


def test_a_function_that_returns_something_else_is_refused(module):
    with pytest.raises(ValueError, match=r"number': gave a int; let the function return"):
        load_dataset(f"{module}:number")


def test_importing_the_table_is_quick():
    heavy = "{'sklearn', 'PIL', 'matplotlib'}"
    code = f"import sys, experiments.zoo.datasets; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
