"""A text encoder of CLIP's architecture, as small as its states of 768 numbers allow, with random weights."""

from pathlib import Path

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def write_tiny_clip(folder: Path, seed: int = 0, width: int = 768) -> Path:
    """Write a checkpoint: each letter is a token, one layer, 12 heads."""
    names = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    CLIPTokenizer(vocab={name: number for number, name in enumerate(names)}, merges=[]).save_pretrained(folder)
    torch.manual_seed(seed)
    config = CLIPTextConfig(
        vocab_size=len(names),
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=12,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    network = CLIPTextModel(config)
    torch.nn.init.normal_(network.embeddings.token_embedding.weight)  # texts differ as clearly as after training
    network.save_pretrained(folder)
    return folder
