import pytest

from experiments.settings.importing import import_named


def test_a_name_in_a_module_is_found(tmp_path, monkeypatch):
    (tmp_path / "garden_of_names.py").write_text("def rose():\n    return 'red'\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert import_named("garden_of_names:rose", "flower")() == "red"


@pytest.mark.parametrize("name", ["no_such_package.x:y", "no_such_package:y", ":y"])
def test_a_module_that_is_not_there_is_refused(name):
    with pytest.raises(LookupError, match=f"^flower '{name}': cannot import .*PYTHONPATH$"):
        import_named(name, "flower")


@pytest.mark.parametrize("name", ["math:rose", "math:"])
def test_a_module_without_that_name_is_refused(name):
    with pytest.raises(LookupError, match=f"^flower '{name}': module 'math' has no "):
        import_named(name, "flower")
