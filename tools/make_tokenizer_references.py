"""Makes Tests/ModelsTests/Resources/clip-references.json: what transformers' CLIPTokenizer answers.

    pip install transformers==5.23.0 numpy
    python tools/make_tokenizer_references.py

The vocabulary is made from Tests/ModelsTests/Resources/clip-merges.txt, as OpenAI makes it: the 256 bytes, the same at the
end of a word, what each merge makes, the start and the end. Each text is answered by five tokenizers: one whose special
tokens are described as in Stable Diffusion 1.x, one as in 2.x, one as newer versions of transformers save them, one whose
special tokens are all told alike, so that they are looked for after lower-casing, and one as in the embedded base. Answers
are not padded; they are cut to 77 tokens, and `count` is how many the whole text has.
"""

import json
import pathlib
import random
import tempfile

import transformers

RESOURCES = pathlib.Path(__file__).parent.parent / "Tests/ModelsTests/Resources"
START, END = "<|startoftext|>", "<|endoftext|>"


def described(content, **more):
    return dict(content=content, lstrip=False, normalized=True, rstrip=False, single_word=False, **more)


CONFIG = dict(
    add_prefix_space=False, do_lower_case=True, errors="replace", model_max_length=77,
    tokenizer_class="CLIPTokenizer", pad_token=END,
    bos_token=described(START, __type="AddedToken"),
    eos_token=described(END, __type="AddedToken"),
    unk_token=described(END, __type="AddedToken"),
)
FORMS = {
    "version1": (CONFIG, dict(bos_token=described(START), eos_token=described(END), pad_token=END,
                              unk_token=described(END))),
    "version2": (CONFIG, dict(bos_token=described(START), eos_token=described(END), pad_token="!",
                              unk_token=described(END))),
    "saved": (dict(
        CONFIG, bos_token=START, eos_token=END, pad_token="!", unk_token=END,
        clean_up_tokenization_spaces=True,
        added_tokens_decoder={
            "0": dict(content="!", lstrip=False, normalized=False, rstrip=False, single_word=False,
                      special=True),
            "49406": described(START, special=True),
            "49407": dict(described(END, special=True), normalized=False),
        }), dict(bos_token=START, eos_token=END, pad_token="!", unk_token=END)),
    "alike": (CONFIG, dict(bos_token=described(START), eos_token=described(END),
                           pad_token=described(END), unk_token=described(END))),
    "plain": (dict(model_max_length=77, bos_token=START, eos_token=END, pad_token=END,
                   unk_token=END), None),
}


def alphabet():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]


def vocabulary(merges):
    tokens = alphabet()
    tokens += [token + "</w>" for token in tokens]
    tokens += [merge.replace(" ", "") for merge in merges]
    return {token: index for index, token in enumerate(tokens + [START, END])}


def texts():
    listed = [
        "", " ", "\t\n  ", "a photo of a cat", "A Photo of a Blue Car on a Beach!",
        "a photo of an astronaut riding a horse on mars, highly detailed, 8k",
        "don't can't I'm we're they've she'll he'd it's rock'n'roll 'twas ''s 'S 'RE",
        "dogs' 's", "''''", "'", "\"quoted\"", "Hello, world... what?!", "a-b_c/d\\e", "#hash @at $1.50 50% & co.",
        "1234567890", "in 2023 at 10:30", "3.14159", "x2y3z", "½ ¾ ² ③ Ⅷ ۱۲۳ १२३ ๑๒", "1st 2nd 42nd",
        "café naïve résumé Zürich Ångström", "cafe\u0301 nai\u0308ve A\u030angstro\u0308m", "ÀÉÎÕÜ ßẞ ŒŸ", "İstanbul ıI", "ΑΣ ΣΑΣ Ὀδυσσεύς",
        "ﬁ ﬂ ﬃ", "e\u0301\u0302\u0303", "\u0301alone", "q\u0307\u0323 q\u0323\u0307", "\u212b \u2126 \u00c5 \u03a9",
        "привет мир", "Съешь ещё этих мягких французских булок", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก",
        "你好,世界", "日本の猫の写真", "ネコ と ﾈｺ", "한국어 \u1112\u1161\u11ab", "漢字kanji漢字", "𠮷野家", "ﷺ",
        "😀", "😀😃 smile 😀", "👩‍👩‍👧‍👦 family", "👍🏽 🇫🇷 🏳️‍🌈", "❤️ ♥ ★", "a😀b", "🐴on a🏖️",
        "a\u00a0b\u2003c\u3000d\u2028e\u2029f\u0085g\u1680h", "a\u200bb\u200cc\u200dd\ufeffe\u2060f", "a\u180eb\u00adc",
        "a\x00b\x01c\x1bd\x7fe\x80f\x9fg", "\x1c\x1d\x1e\x1f", "a\x0bb\x0cc\rd\r\ne", "\ufffd \ufffe \uffff \U0010ffff \ue000",
        "<|startoftext|>", "<|endoftext|>", "a <|endoftext|> b", "a<|startoftext|>b<|endoftext|>c", "<|ENDOFTEXT|> <|StartOfText|>",
        "<|startoftext|>!! x", "!<|endoftext|>", "<|endoftext|><|endoftext|>", "<|endoftext", "< |endoftext|>", "<|end<|endoftext|>oftext|>",
        "!", "!!", "! !", "wow!", "!wow", "a!b!c", "!'s", "hello!!!world", "?!?!", "</w>", "a</w> b</w>", "<w>",
        "~!@#$%^&*()_+`-={}|[]\\:\";'<>?,./", "—–‒…“”‘’«»¿¡", "€£¥₿¢", "∑∫√∞≠≤≥±×÷", "→←↑↓⇒", "°C µm", "ªº",
        "supercalifragilisticexpialidocious", "pneumonoultramicroscopicsilicovolcanoconiosis", "Donaudampfschifffahrtsgesellschaft",
        "a" * 60, "ab" * 100, "z" * 500, "the" * 90, "1" * 90, "é" * 80, "日" * 90, "😀" * 40, "aA" * 33, "-" * 200, "= - " * 60,
        "word " * 74, "word " * 75, "word " * 76, "word " * 200, "   many    spaces   ", "\n\nlines\n\n", "tab\ttab",
        "http://example.com/a?b=c&d=e#f", "user@example.com", "C:\\Users\\x", "<html><body>", "{\"a\": [1, 2]}", "f(x) = x^2",
        "camelCase snake_case kebab-case", "ALLCAPS lower MiXeD", "ｆｕｌｌｗｉｄｔｈ ＡＢＣ １２３", "𝒜𝓫𝔠 𝟙𝟚", "Ⓐⓑ ⒈",
        "ŁÓDŹ Çà ñÑ Đđ Þþ Ǆǅ", "ǰ ŉ ᾳ ᾼ ΐ", "Ⴀ Ꭰ ꭰ Ა ა", "Ɐ Ȿ Ꞌ", "\u0345 \u1fb3 \u0130\u0307",
        "\u0958 \u2adc \ufb1d \ufb2a \u0344", "\uac00\u11a8 \u1100\u1161\u11a8", "\u0f43 \u0f77 \u2000 \u2001x",
    ]
    generator = random.Random(0)
    words = ["a", "photo", "of", "the", "cat", "dog's", "horse", "beach", "snow", "Café", "don't", "2023", "!", "...", "blue", "😀", "北京"]
    # Blocks whose characters are old enough to have the same properties in every version of Unicode in use.
    blocks = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x45F), (0x5D0, 0x5EA), (0x621, 0x652),
              (0x905, 0x939), (0xE01, 0xE3A), (0x1E00, 0x1EFF), (0x2010, 0x205E), (0x2190, 0x21FF), (0x2460, 0x24FF),
              (0x3041, 0x30FF), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0x1F600, 0x1F64F), (0x300, 0x33F), (0x9, 0xD)]
    mixed = []
    for _ in range(60):
        mixed.append(" ".join(generator.choice(words) for _ in range(generator.randint(1, 20))))
    for _ in range(110):
        text = ""
        for _ in range(generator.randint(1, 12)):
            first, last = generator.choice(blocks)
            text += "".join(chr(generator.randint(first, last)) for _ in range(generator.randint(1, 5)))
        mixed.append(text)
    return listed + mixed


def tokenizer(form, merges, folder):
    config, special = FORMS[form]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(vocabulary(merges)))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if special is not None:
        (folder / "special_tokens_map.json").write_text(json.dumps(special))
    return transformers.CLIPTokenizer.from_pretrained(folder)


def main():
    merges = (RESOURCES / "clip-merges.txt").read_text().strip().split("\n")[1:]
    answers = {}
    forms = {}
    with tempfile.TemporaryDirectory() as temporary:
        for form, (config, special) in FORMS.items():
            made = tokenizer(form, merges, pathlib.Path(temporary) / form)
            forms[form] = dict(config=config, special=special, pad=made.pad_token_id)
            for text in texts():
                ids = made(text)["input_ids"]
                cut = made(text, truncation=True, max_length=77)["input_ids"]
                answers.setdefault(text, {})[form] = dict(count=len(ids), ids=cut)
    lines = []
    for text, answer in answers.items():
        first = answer["version1"]
        # Forms that agree with the first are left out.
        others = {form: other for form, other in answer.items() if other != first}
        lines.append(json.dumps(dict(text=text, count=first["count"], ids=first["ids"], others=others),
                                separators=(",", ":")))
    text = '{"forms":' + json.dumps(forms) + ',\n"texts":[\n' + ",\n".join(lines) + "\n]}\n"
    (RESOURCES / "clip-references.json").write_text(text)


if __name__ == "__main__":
    main()
