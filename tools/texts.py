"""Texts that tokenizers trip over, and random ones."""

import random

TRICKY = [
    "",
    " ",
    "a photo of a blue car on a beach",
    "A Photo OF a Horse",
    "  two   dogs\tand\na cat  ",
    "crème brûlée at a café, naïve façade, Ångström",
    "cafe\u0301 in two code points",
    "a dog 🐶 and a family 👨‍👩‍👧‍👦 in 🇫🇷 with 👍🏽",
    'wait... what?! (really) -- yes; "quoted" & <tagged> #1 @home 100% $5 ~/path\\x',
    "it's what they're saying: we've, I'm, he'll, she'd, don't",
    "'s 't 're 've 'm 'll 'd ''s '' 'S",
    "12345 3.14159 2023-10-07 1e-4 ½ ² Ⅷ ٣",
    "pneumonoultramicroscopicsilicovolcanoconiosis donaudampfschifffahrtsgesellschaft",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "Straße İstanbul ΟΔΟΣ Москва 東京の夜 서울 العربية हिन्दी ไทย",
    "a\u00a0non-breaking\u2003em space\u3000and\u200bzero width\ufeffmark",
    "<|startoftext|> in the middle <|endoftext|> of it",
    "<|STARTOFTEXT|> <|endoftext|><|endoftext|>",
    "snake_case camelCase kebab-case http://example.com/?q=1&r=2",
    "x²+y²=z² ≠ ∑∫ √2 → ∞ ™ © ® €",
    "ﬁne ligature Ǆ ǅ ǆ ŉ K Å",
    "e\u0301\u0302\u0303 stacked marks, z\u0351a\u0350l\u0353g\u0356o",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f 𝒜𝓁𝓅𝒽𝒶 𐍈 𠜎",
    "!",
    "a dog! and! another!!",
    "the quick brown fox jumps over the lazy dog again and again and again and again and again and again and again "
    "and again and again and again and again and again and again and again and again and again and again and again",
]

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789",
    " .,;:!?'\"()[]{}<>|/\\@#$%^&*-_=+~`",
    "àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿœšžÀÉÎÕÜŽ",
    "αβγδεζηθικλμνξοπρσςτυφχψωΑΒΓΔ",
    "абвгдежзийклмнопрстуфхцчшщъыьэюяАБВ",
    "一丁七万丈三上下不与世中丸主久之九乱予争事二",
    "あいうえおかきくけこアイウエオ",
    "😀😂🥰🐱🚗🏖️🌅❤️🎉👍",
]


def random_texts(count: int, seed: int) -> list[str]:
    """Runs of characters out of a few alphabets, with spaces here and there."""
    generator = random.Random(seed)

    def run() -> str:
        alphabet = generator.choice(ALPHABETS)
        return "".join(generator.choices(alphabet, k=generator.randint(1, 9)))

    return ["".join(run() + generator.choice(["", " "]) for _ in range(generator.randint(1, 12))) for _ in range(count)]
