"""The hash of shingles as a plain loop, to compare with: what datasketch is given as its `hashfunc`."""

from __future__ import annotations


def murmur(data: bytes) -> int:
    """MurmurHash3 x86 32, seed 0, byte by byte as its source has it."""
    mask, state = 2**32 - 1, 0

    def rotated(value: int, bits: int) -> int:
        return (value << bits | value >> 32 - bits) & mask

    for at in range(0, len(data), 4):
        block = data[at : at + 4]
        state ^= rotated(int.from_bytes(block, "little") * 0xCC9E2D51 & mask, 15) * 0x1B873593 & mask
        if len(block) == 4:
            state = (rotated(state, 13) * 5 + 0xE6546B64) & mask
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & mask
    state = (state ^ state >> 13) * 0xC2B2AE35 & mask
    return state ^ state >> 16
