"""The random numbers of this project (Sources/Tensors/Philox.swift), for references in Python."""

import math

MASK = 0xFFFFFFFF


def words(seed, stream, step, block):
    """Four words of Philox4x32-10 (Salmon et al. 2011)."""
    c0, c1, c2, c3 = block & MASK, block >> 32, step, stream
    k0, k1 = seed & MASK, seed >> 32
    for _ in range(10):
        product0, product1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (product1 >> 32) ^ c1 ^ k0, product1 & MASK, (product0 >> 32) ^ c3 ^ k1, product0 & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


def normal(seed, stream, step, count):
    """`count` standard normal numbers, by the Box-Muller transform of pairs of words."""
    numbers = []
    for block in range((count + 3) // 4):
        drawn = words(seed, stream, step, block)
        for first, second in (drawn[:2], drawn[2:]):
            radius = math.sqrt(-2 * math.log((first + 1) / 2**32))
            angle = 2 * math.pi * second / 2**32
            numbers += [radius * math.cos(angle), radius * math.sin(angle)]
    return numbers[:count]
