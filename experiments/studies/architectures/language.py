"""Networks of the transformers package, made smaller: four layers of a width of 256 or so."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

import amc

WIDTH, HEADS, LAYERS, WORDS, LENGTH = 256, 4, 4, 1000, 64

ENCODER = {
    "vocab_size": WORDS,
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 4 * WIDTH,
}
DECODER = {**ENCODER, "num_key_value_heads": 2, "tie_word_embeddings": False, "pad_token_id": 0}
HEADED = {**DECODER, "head_dim": WIDTH // HEADS}
VISION = {key: ENCODER[key] for key in ENCODER if key != "vocab_size"}


def _made(model: str, config: str, **settings: Any) -> nn.Module:
    transformers = import_module("transformers")
    made = getattr(transformers, config)(**settings)
    found: nn.Module = getattr(transformers, model)(made)
    return found


def _words(length: int = LENGTH) -> Tensor:
    return torch.randint(2, WORDS, (1, length), generator=torch.Generator().manual_seed(0))


def _language(model: str, config: str, **settings: Any) -> tuple[nn.Module, Any]:
    given: dict[str, Any] = {"input_ids": _words()}
    if "Causal" in model or "LMHead" in model:
        given["use_cache"] = False
    return _made(model, config, **settings), given


def _both(model: str, config: str, **settings: Any) -> tuple[nn.Module, Any]:
    given = {"input_ids": _words(), "decoder_input_ids": _words(16), "use_cache": False}
    return amc.returning(_made(model, config, **settings), "logits"), given


def _vision(model: str, config: str, size: int = 224, **settings: Any) -> tuple[nn.Module, Any]:
    return _made(model, config, **settings), {"pixel_values": _pictures(size)}


def _pictures(size: int) -> Tensor:
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))


def _clip() -> tuple[nn.Module, Any]:
    text = {**ENCODER, "max_position_embeddings": LENGTH, "projection_dim": 128}
    vision = {**VISION, "image_size": 64, "patch_size": 16, "projection_dim": 128}
    model = _made(
        "CLIPModel", "CLIPConfig", text_config=text, vision_config=vision, projection_dim=128
    )
    given = {"input_ids": _words(16), "pixel_values": _pictures(64)}
    return amc.returning(model, "logits_per_image"), given


def _detr() -> tuple[nn.Module, Any]:
    model = _made(
        "DetrForObjectDetection",
        "DetrConfig",
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=import_module("transformers").ResNetConfig(out_features=["stage4"]),
        d_model=WIDTH,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=1024,
        decoder_ffn_dim=1024,
        num_queries=20,
    )
    return model, {"pixel_values": _pictures(128)}


def _speech(model: str) -> tuple[nn.Module, Any]:
    sizes = {"conv_dim": (64,) * 7, "num_conv_pos_embeddings": 32}
    made = _made(model, "Wav2Vec2Config", **{**ENCODER, **sizes, "mask_time_prob": 0.0})
    return made, {"input_values": torch.randn(1, 8000)}


def _whisper() -> tuple[nn.Module, Any]:
    sizes = {
        **{"vocab_size": WORDS, "d_model": WIDTH, "encoder_layers": 2, "decoder_layers": 2},
        **{"encoder_attention_heads": HEADS, "decoder_attention_heads": HEADS},
        **{"encoder_ffn_dim": 1024, "decoder_ffn_dim": 1024, "max_source_positions": 100},
        **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1},
    }
    made = _made("WhisperModel", "WhisperConfig", **sizes)
    given = {"input_features": torch.randn(1, 80, 200), "decoder_input_ids": _words(16)}
    return made, {**given, "use_cache": False}


BART = {
    **{"vocab_size": WORDS, "d_model": WIDTH, "encoder_layers": 2, "decoder_layers": 2},
    **{"encoder_attention_heads": HEADS, "decoder_attention_heads": HEADS},
    **{"encoder_ffn_dim": 1024, "decoder_ffn_dim": 1024, "max_position_embeddings": 128},
}
SMALL = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "vocab_size": WORDS}
OPT = {**DECODER, "ffn_dim": 1024, "word_embed_proj_dim": WIDTH, "tie_word_embeddings": True}

MODELS: dict[str, Callable[[], tuple[nn.Module, Any]]] = {
    "bart": partial(_both, "BartForConditionalGeneration", "BartConfig", **BART),
    "bert": partial(_language, "BertForSequenceClassification", "BertConfig", **ENCODER),
    "bert-mlm": partial(_language, "BertForMaskedLM", "BertConfig", **ENCODER),
    "clip": _clip,
    "convnextv2": partial(
        _vision, "ConvNextV2ForImageClassification", "ConvNextV2Config", size=128
    ),
    "deberta-v2": partial(
        _language,
        "DebertaV2ForSequenceClassification",
        "DebertaV2Config",
        **{**ENCODER, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    ),
    "detr": _detr,
    "dinov2": partial(_vision, "Dinov2ForImageClassification", "Dinov2Config", **VISION),
    "distilbert": partial(
        _language,
        "DistilBertForSequenceClassification",
        "DistilBertConfig",
        **{"vocab_size": WORDS, "dim": WIDTH, "n_layers": LAYERS, "n_heads": HEADS},
        hidden_dim=1024,
    ),
    "electra": partial(
        _language,
        "ElectraForSequenceClassification",
        "ElectraConfig",
        **{**ENCODER, "embedding_size": 128},
    ),
    "gemma3": partial(
        _language,
        "Gemma3ForCausalLM",
        "Gemma3TextConfig",
        **{**HEADED, "tie_word_embeddings": True},
    ),
    "gpt2": partial(_language, "GPT2LMHeadModel", "GPT2Config", **SMALL),
    "llama": partial(_language, "LlamaForCausalLM", "LlamaConfig", **DECODER),
    "llama-cls": partial(_language, "LlamaForSequenceClassification", "LlamaConfig", **DECODER),
    "mamba": partial(
        _language,
        "MambaForCausalLM",
        "MambaConfig",
        **{"vocab_size": WORDS, "hidden_size": WIDTH, "num_hidden_layers": LAYERS},
    ),
    "mistral": partial(_language, "MistralForCausalLM", "MistralConfig", **DECODER),
    "mixtral": partial(
        _language,
        "MixtralForCausalLM",
        "MixtralConfig",
        **{**DECODER, "intermediate_size": 512, "num_local_experts": 4},
    ),
    "mobilevit": partial(_vision, "MobileViTForImageClassification", "MobileViTConfig", size=128),
    "modernbert": partial(
        _language, "ModernBertForSequenceClassification", "ModernBertConfig", **DECODER
    ),
    "opt": partial(_language, "OPTForCausalLM", "OPTConfig", **OPT),
    "phi3": partial(_language, "Phi3ForCausalLM", "Phi3Config", **DECODER),
    "qwen2": partial(_language, "Qwen2ForCausalLM", "Qwen2Config", **DECODER),
    "qwen3": partial(_language, "Qwen3ForCausalLM", "Qwen3Config", **HEADED),
    "qwen3-tied": partial(
        _language, "Qwen3ForCausalLM", "Qwen3Config", **{**HEADED, "tie_word_embeddings": True}
    ),
    "resnet": partial(_vision, "ResNetForImageClassification", "ResNetConfig", size=128),
    "roberta": partial(_language, "RobertaForSequenceClassification", "RobertaConfig", **ENCODER),
    "segformer": partial(_vision, "SegformerForSemanticSegmentation", "SegformerConfig", size=128),
    "siglip-vision": partial(
        _vision,
        "SiglipVisionModel",
        "SiglipVisionConfig",
        **{**VISION, "image_size": 64, "patch_size": 16},
        size=64,
    ),
    "swin": partial(_vision, "SwinForImageClassification", "SwinConfig"),
    "t5": partial(
        _both,
        "T5ForConditionalGeneration",
        "T5Config",
        **{"vocab_size": WORDS, "d_model": WIDTH, "d_kv": 64, "d_ff": 1024, "num_layers": 2},
        num_heads=HEADS,
    ),
    "vit": partial(_vision, "ViTForImageClassification", "ViTConfig", **VISION),
    "wav2vec2": partial(_speech, "Wav2Vec2Model"),
    "wav2vec2-cls": partial(_speech, "Wav2Vec2ForSequenceClassification"),
    "whisper": _whisper,
}
"""By name."""
