"""The networks of the table: of each a function that builds it, with random weights, and inputs.

They need the environment of `make test-zoo`, which has torchvision, timm, transformers,
segmentation-models-pytorch and ultralytics; no weights are downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from experiments.studies.architectures import language, plain

Built = tuple[nn.Module, Any]
"""A network, and what its forward pass takes, as `amc.trace` does."""


@dataclass(frozen=True)
class Network:
    """A network of the table.

    Args:
        build: Makes it, with its inputs.
        quick: Whether it is one of the few that every change is tried on.
    """

    build: Callable[[], Built]
    quick: bool = False


def images(size: int = 224, samples: int = 1) -> Tensor:
    """Noise of the size of pictures."""
    return torch.randn(samples, 3, size, size, generator=torch.Generator().manual_seed(0))


def _torchvision(name: str, size: int) -> Built:
    make = import_module("torchvision.models").get_model
    backbone: dict[str, Any] = {"weights_backbone": None} if _has_backbone(name) else {}
    return make(name, weights=None, **backbone), images(size)


def _has_backbone(name: str) -> bool:
    words = ("deeplab", "fcn_", "lraspp", "rcnn", "retinanet", "ssd", "fcos")
    return any(word in name for word in words)


def _frozen_norms(name: str, size: int) -> Built:
    """As torchvision builds it where weights are named: norms that are buffers alone."""
    frozen = import_module("torchvision.ops").FrozenBatchNorm2d
    models = import_module("torchvision.models")
    if name.startswith("fasterrcnn"):
        model, inputs = _detector(name, size)
        _freeze(model, frozen)
        return model, inputs
    return models.get_model(name, weights=None, norm_layer=frozen), images(size)


def _freeze(model: nn.Module, frozen: Any) -> None:
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            made = frozen(module.num_features, module.eps)
            made.load_state_dict(module.state_dict())
            model.set_submodule(name, made)


def _detector(name: str, size: int) -> Built:
    """A detector of torchvision, which takes a list of pictures without a batch axis."""
    return _torchvision(name, size)[0], ([images(size)[0]],)


def _video(name: str) -> Built:
    make = import_module("torchvision.models.video").r3d_18
    return make(weights=None), torch.randn(1, 3, 8, 64, 64)


def _mvit() -> Built:
    make = import_module("torchvision.models.video").mvit_v2_s
    return make(weights=None), torch.randn(1, 3, 16, 224, 224)


def _raft() -> Built:
    make = import_module("torchvision.models.optical_flow").raft_small
    model = make(weights=None)
    return model, {"image1": images(128), "image2": images(128), "num_flow_updates": 2}


def _aux_classes(name: str) -> Built:
    size = 299 if name.startswith("inception") else 224
    model = import_module("torchvision.models").get_model(name, weights=None, init_weights=False)
    return model, images(size)


def _timm(name: str, size: int | None) -> Built:
    timm = import_module("timm")
    own = {"img_size": size} if size and name.startswith("vit") else {}
    model = timm.create_model(name, pretrained=False, num_classes=1000, **own)
    wanted = size or model.default_cfg["input_size"][-1]
    return model, images(wanted)


def _segmentation(name: str) -> Built:
    models = import_module("segmentation_models_pytorch")
    return getattr(models, name)("resnet34", encoder_weights=None, classes=5), images(128)


def _ultralytics(name: str, size: int) -> Built:
    tasks = import_module("ultralytics.nn.tasks")
    kind = "ClassificationModel" if "cls" in name else "DetectionModel"
    kind = "SegmentationModel" if "seg" in name else kind
    model = getattr(tasks, kind)(f"{name}.yaml", verbose=False)
    return model, images(size)


TORCHVISION = {
    "alexnet": 224,
    "convnext_tiny": 128,
    "deeplabv3_resnet50": 128,
    "densenet121": 128,
    "efficientnet_b0": 128,
    "efficientnet_v2_s": 128,
    "fcn_resnet50": 128,
    "lraspp_mobilenet_v3_large": 128,
    "maxvit_t": 224,
    "mnasnet1_0": 128,
    "mobilenet_v2": 128,
    "mobilenet_v3_large": 128,
    "mobilenet_v3_small": 128,
    "regnet_y_400mf": 128,
    "resnet18": 128,
    "resnet50": 128,
    "resnext50_32x4d": 128,
    "shufflenet_v2_x1_0": 128,
    "squeezenet1_1": 128,
    "swin_t": 224,
    "swin_v2_t": 256,
    "vgg16_bn": 128,
    "vit_b_16": 224,
    "wide_resnet50_2": 128,
}
DETECTORS = {
    "fasterrcnn_resnet50_fpn": 128,
    "fcos_resnet50_fpn": 128,
    "maskrcnn_resnet50_fpn": 128,
    "retinanet_resnet50_fpn": 128,
    "ssd300_vgg16": 300,
    "ssdlite320_mobilenet_v3_large": 320,
}
TIMM: dict[str, int | None] = {
    "beit_base_patch16_224": None,
    "cait_xxs24_224": None,
    "coatnet_0_rw_224": None,
    "convnext_tiny": 128,
    "convnextv2_tiny": 128,
    "crossvit_tiny_240": None,
    "cspdarknet53": 128,
    "deit_small_patch16_224": None,
    "dla34": 128,
    "eca_nfnet_l0": 128,
    "edgenext_small": 128,
    "efficientformer_l1": None,
    "efficientnet_b0": 128,
    "eva02_tiny_patch14_224": None,
    "fastvit_t8": 128,
    "ghostnet_100": 128,
    "hrnet_w18": 128,
    "levit_128": None,
    "maxvit_tiny_tf_224": None,
    "mixer_s16_224": None,
    "mobilenetv3_large_100": 128,
    "mobilenetv4_conv_small": 128,
    "mobileone_s0": 128,
    "mobilevit_s": 128,
    "nfnet_f0": 128,
    "poolformer_s12": 128,
    "pvt_v2_b0": 128,
    "regnety_004": 128,
    "repvgg_b0": 128,
    "repvit_m0_9": 128,
    "resnet50d": 128,
    "resnetv2_50": 128,
    "resnetv2_50x1_bit": 128,
    "swin_tiny_patch4_window7_224": None,
    "tf_efficientnet_lite0": 128,
    "tiny_vit_5m_224": None,
    "vit_medium_patch16_reg4_gap_256": None,
    "vit_small_patch14_dinov2": 224,
    "vit_small_patch14_reg4_dinov2": 224,
    "vit_small_patch16_224": None,
    "vit_small_patch16_dinov3": 224,
    "vit_tiny_patch16_224": None,
}
SEGMENTATION = ("DeepLabV3Plus", "FPN", "Unet", "UnetPlusPlus")
ULTRALYTICS = {"yolo11n": 128, "yolov8n": 128, "yolov8n-cls": 128, "yolov8n-seg": 128}

QUICK = frozenset(
    {
        *(
            "tv.mobilenet_v2",
            "tv.swin_t",
            "tv.ssdlite320_mobilenet_v3_large",
            "timm.vit_tiny_patch16_224",
        ),
        *("timm.convnextv2_tiny", "timm.levit_128", "hf.bert-mlm", "hf.llama", "hf.mixtral"),
        *("smp.Unet", "ultralytics.yolov8n", "plain.lstm", "plain.tcn-weightnorm"),
    }
)
"""One network a family, for every change."""


def _entries() -> Iterator[tuple[str, Callable[[], Built]]]:
    for name, build in language.MODELS.items():
        yield f"hf.{name}", build
    for name, build in plain.MODELS.items():
        yield f"plain.{name}", build
    for name in SEGMENTATION:
        yield f"smp.{name}", partial(_segmentation, name)
    for name, wanted in TIMM.items():
        yield f"timm.{name}", partial(_timm, name, wanted)
    for name, size in TORCHVISION.items():
        yield f"tv.{name}", partial(_torchvision, name, size)
    for name, size in DETECTORS.items():
        yield f"tv.{name}", partial(_detector, name, size)
    for name in ("googlenet", "inception_v3"):
        yield f"tv.{name}", partial(_aux_classes, name)
    yield "tv.mvit_v2_s", _mvit
    yield "tv.r3d_18", partial(_video, "r3d_18")
    yield "tv.raft_small", _raft
    yield "tv.resnet50-frozen-norms", partial(_frozen_norms, "resnet50", 128)
    yield "tv.fasterrcnn-frozen-norms", partial(_frozen_norms, "fasterrcnn_resnet50_fpn", 128)
    for name, size in ULTRALYTICS.items():
        yield f"ultralytics.{name}", partial(_ultralytics, name, size)


TIMED = (
    *("hf.bert-mlm", "smp.Unet", "timm.mixer_s16_224", "timm.mobilenetv4_conv_small"),
    *("timm.repvgg_b0", "timm.vit_tiny_patch16_224", "tv.convnext_tiny", "tv.densenet121"),
    *("tv.efficientnet_b0", "tv.lraspp_mobilenet_v3_large", "tv.mobilenet_v2"),
    *("tv.mobilenet_v3_large", "tv.regnet_y_400mf", "tv.resnet18", "tv.resnet50"),
    *("tv.resnext50_32x4d", "tv.shufflenet_v2_x1_0", "tv.squeezenet1_1", "tv.vgg16_bn"),
    "ultralytics.yolov8n",
)
"""Twenty of them, on which runtimes are tried."""

NETWORKS = {name: Network(build, name in QUICK) for name, build in sorted(_entries())}
"""By family and name."""
