"""OpenAI's CLIP vocabulary, in the files that transformers' tokenizer reads.

open_clip carries it as OpenAI published it, a list of merges; the numbers of the tokens follow from that list.
"""

import gzip
import importlib.util
import json
from pathlib import Path

from transformers.convert_slow_tokenizer import bytes_to_unicode

START, END = "<|startoftext|>", "<|endoftext|>"
SIZE = 49408


def write_clip_vocabulary(folder: Path) -> None:
    """Writes vocab.json, merges.txt and the two small configs beside them."""
    merges = published_merges()
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(letter + "</w>" for letter in letters), *("".join(merge.split()) for merge in merges)]
    vocabulary = {token: number for number, token in enumerate([*tokens, START, END])}
    if len(vocabulary) != SIZE:
        raise ValueError(f"CLIP's vocabulary has {len(vocabulary)} tokens, not {SIZE}")

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    config = special | {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def published_merges() -> list[str]:
    package = importlib.util.find_spec("open_clip")
    if package is None:
        raise ModuleNotFoundError("open_clip is not installed: tools/setup_venv.sh installs it")
    path = Path(package.submodule_search_locations[0]) / "bpe_simple_vocab_16e6.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    return lines[1 : 1 + SIZE - 2 - 2 * 256]
