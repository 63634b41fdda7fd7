"""The table of networks: shapes, sizes, widths, and answers to bad input."""

import pytest
import torch
from torch import fx, nn

from experiments.zoo.layers import scale_to_multiple
from experiments.zoo.models import MODELS, build_model

NAMES = (
    *("resnet8", "resnet20", "resnet56", "plain20", "vgg-small", "alexnet-small"),
    *("mobilenet-v1", "mobilenet-v2", "vit-small"),
)
every_model = pytest.mark.parametrize("name", NAMES)
every_convolutional_one = pytest.mark.parametrize("name", NAMES[:-1])


def parameters(network: nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


def convolution_channels(network: nn.Module) -> list[int]:
    return [layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)]


def sizes_between_convolutions(name: str, pixels: int) -> list[int]:
    """Heights that the convolutions give out, in order, each run of equal ones once."""
    heights = [pixels]
    network = build_model(name, 1, 10, width=0.25).eval()

    def note(_: nn.Module, __: object, output: torch.Tensor) -> None:
        if output.shape[2] != heights[-1]:
            heights.append(output.shape[2])

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(note)
    network(torch.zeros(1, 1, pixels, pixels))
    return heights


def test_the_table_holds_the_named_models() -> None:
    assert tuple(MODELS) == NAMES


@every_model
@pytest.mark.parametrize(("channels", "pixels"), [(1, 28), (3, 32)])
def test_each_model_gives_logits_for_small_images(name: str, channels: int, pixels: int) -> None:
    network = build_model(name, channels, classes=7, width=0.25).eval()
    with torch.no_grad():
        logits = network(torch.randn(2, channels, pixels, pixels))
    assert logits.shape == (2, 7)
    assert logits.isfinite().all()


def test_resnet8_reads_digits_of_8_pixels() -> None:
    assert build_model("resnet8", 1, 10)(torch.randn(2, 1, 8, 8)).shape == (2, 10)


# By hand, for 3 channels and 10 classes: convolutions inputs * outputs * k * k, batch norms two
# per channel, the linear layer (inputs + 1) * 10.
#   ResNet: stem 432 + 32; stages of n blocks: 4672n, 18560n - 4608 + 576, 73984n - 18432 + 2176
#   (a first block reads half the channels but has a 1x1 shortcut with batch norm); linear 650.
#   plain-20 is ResNet-20 less the two shortcuts: 576 + 2176.
#   VGG-16: convolutions 14,710,464, batch norms 2 * 4224, linear 5130.
#   MobileNets: the 4,231,976 and 3,504,872 of their ImageNet versions, with a linear layer of
#   10 instead of 1000 classes: less 990 * 1025 and 990 * 1281.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet8", 78_042),
        ("resnet20", 272_474),
        ("resnet56", 855_770),
        ("plain20", 269_722),
        ("vgg-small", 14_724_042),
        ("mobilenet-v1", 3_217_226),
        ("mobilenet-v2", 2_236_682),
    ],
)
def test_each_model_has_the_published_number_of_parameters(name: str, expected: int) -> None:
    with torch.device("meta"):
        assert parameters(build_model(name, 3, 10)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet20", [28, 14, 7]),
        ("vgg-small", [28, 14, 7, 3, 1]),
        ("mobilenet-v1", [28, 14, 7, 4, 2]),
        ("mobilenet-v2", [28, 14, 7, 4]),
        ("alexnet-small", [28, 14, 7, 4]),
    ],
)
def test_images_of_28_pixels_shrink_step_by_step(name: str, expected: list[int]) -> None:
    assert sizes_between_convolutions(name, 28) == expected


@every_convolutional_one
def test_a_batch_norm_follows_every_convolution(name: str) -> None:
    network = build_model(name, 1, 10, width=0.25)
    modules = dict(network.named_modules())
    nodes = [node for node in fx.symbolic_trace(network).graph.nodes if node.op == "call_module"]
    convolutions = [node for node in nodes if isinstance(modules[node.target], nn.Conv2d)]
    assert len(convolutions) == len(convolution_channels(network))
    for node in convolutions:
        assert modules[node.target].bias is None
        readers = [modules[user.target] for user in node.users]
        assert [type(reader) for reader in readers] == [nn.BatchNorm2d]
        assert readers[0].num_features == modules[node.target].out_channels


@every_model
def test_no_module_is_called_twice(name: str) -> None:
    graph = fx.symbolic_trace(build_model(name, 1, 10, width=0.25)).graph
    targets = [node.target for node in graph.nodes if node.op == "call_module"]
    assert len(targets) == len(set(targets))


@pytest.mark.parametrize("name", ["resnet20", "resnet56", "plain20", "vgg-small"])
def test_width_scales_every_channel_count(name: str) -> None:
    whole = convolution_channels(build_model(name, 1, 10))
    half = convolution_channels(build_model(name, 1, 10, width=0.5))
    assert half == [count // 2 for count in whole]


@pytest.mark.parametrize("name", ["mobilenet-v1", "mobilenet-v2"])
def test_width_keeps_mobilenets_at_multiples_of_8(name: str) -> None:
    whole, narrow = (build_model(name, 1, 10, width=width) for width in (1.0, 0.3))
    counts = convolution_channels(narrow)
    assert all(count % 8 == 0 for count in counts)
    assert parameters(narrow) < 0.2 * parameters(whole)


@every_model
def test_the_narrowest_network_still_works(name: str) -> None:
    network = build_model(name, 1, 2, width=0.001).eval()
    assert network(torch.zeros(1, 1, 28, 28)).shape == (1, 2)


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [(32, 1.0, 32), (32, 0.35, 16), (24, 0.75, 24), (16, 0.1, 8), (1280, 1.4, 1792)],
)
def test_rounding_to_8_never_loses_a_tenth(channels: int, width: float, expected: int) -> None:
    assert scale_to_multiple(channels, width) == expected


def test_resnet20_with_the_weights_of_plain20_adds_its_shortcuts() -> None:
    residual, plain = build_model("resnet20", 1, 10).eval(), build_model("plain20", 1, 10).eval()
    weights = plain.state_dict()
    shared = {key: value for key, value in residual.state_dict().items() if key in weights}
    plain.load_state_dict(shared)
    images = torch.randn(2, 1, 28, 28)
    with torch.no_grad():
        assert not torch.allclose(residual(images), plain(images))


@every_convolutional_one
def test_convolutions_start_with_the_spread_of_he(name: str) -> None:
    torch.manual_seed(0)
    layers = [layer for layer in build_model(name, 3, 10).modules() if isinstance(layer, nn.Conv2d)]
    for layer in layers:
        expected = (2 / (layer.out_channels * layer.kernel_size[0] ** 2)) ** 0.5
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.25)


def test_the_same_seed_draws_the_same_weights() -> None:
    networks = []
    for _ in range(2):
        torch.manual_seed(3)
        networks.append(build_model("resnet8", 1, 10).state_dict())
    assert all(torch.equal(networks[0][key], networks[1][key]) for key in networks[0])


def test_a_misspelt_model_is_answered_with_the_closest_one() -> None:
    with pytest.raises(LookupError, match=r"unknown model 'resnt20'; did you mean 'resnet20'\? kn"):
        build_model("resnt20", 1, 10)


@every_model
@pytest.mark.parametrize("width", [0.0, -1.0, float("nan"), float("inf")])
def test_a_width_that_cannot_scale_is_refused(name: str, width: float) -> None:
    with pytest.raises(ValueError, match=r"^width: .* give a number above 0"):
        build_model(name, 1, 10, width=width)


@pytest.mark.parametrize(("channels", "classes", "what"), [(0, 10, "in_channels"), (1, 0, "class")])
def test_counts_below_one_are_refused(channels: int, classes: int, what: str) -> None:
    with pytest.raises(ValueError, match=f"^{what}.* at least 1"):
        build_model("resnet8", channels, classes)


def test_most_of_alexnets_weights_are_in_its_linear_layers() -> None:
    network = build_model("alexnet-small", 1, 10)
    linear = sum(parameters(m) for m in network.modules() if isinstance(m, nn.Linear))
    # Convolutions 600 + 8640 + 20,160 + 28,224 + 20,160, norms 2 * 216, linear layers as below.
    assert linear == 361 * 512 + 513 * 512 + 513 * 10
    assert parameters(network) == linear + 77_784 + 432
    assert linear > 0.85 * parameters(network)
