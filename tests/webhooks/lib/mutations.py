"""Every text that differs from another in one byte, by a bit of the character or its case."""

from collections.abc import Iterator


def mutations(original: bytes) -> Iterator[bytes]:
    for place, byte in enumerate(original):
        for bit in (0x01, 0x20):
            # Others could not be sent in a header.
            if 0x21 <= byte ^ bit <= 0x7E:
                yield original[:place] + bytes([byte ^ bit]) + original[place + 1 :]
