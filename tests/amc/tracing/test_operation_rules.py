"""The table from operations to rules."""

import pytest
import torch

from amc.tracing.operation_rules import ATTENTIONS, RULES, rule

SCHEMAS = {schema.name.split("::")[1] for schema in torch._C._jit_get_all_schemas()}


def test_every_attention_of_this_pytorch_has_the_rule() -> None:
    forward = {
        name for name in SCHEMAS if "scaled_dot_product" in name and not name.endswith("_backward")
    }
    assert forward <= ATTENTIONS


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_is_of_an_operation_that_exists(name: str) -> None:
    assert name in SCHEMAS or f"{name}_" in SCHEMAS


def test_a_rule_is_registered_under_each_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amc.tracing.operation_rules.RULES", {})

    @rule("one", "two")
    def both(*given: object) -> None:
        """Nothing."""

    from amc.tracing import operation_rules

    assert {"one": both, "two": both} == operation_rules.RULES
