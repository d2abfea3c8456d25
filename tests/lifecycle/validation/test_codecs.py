from __future__ import annotations

import gzip
from collections import deque

import pytest

from choria_lifecycle.validation.codecs import BLOCK, CODECS, Codec
from tests.bed.compressed import COMPRESS, skippable_frame

TEXT = b"".join(b"%d\n" % number for number in range(50_000))


def codec_of(data: bytes) -> Codec:
    [codec] = {codec for signature, codec in CODECS.items() if data.startswith(signature)}
    return codec


@pytest.mark.parametrize("name", COMPRESS)
def test_decoders_have_the_same_interface(name: str) -> None:
    data = COMPRESS[name](TEXT)
    codec = codec_of(data)
    assert (codec.name, codec.command, codec.filter) == (name, f"{name} -dc FILE", f"{name} -dc")
    open_decoder, damage = codec.load()
    decoder = open_decoder()
    assert decoder.needs_input
    text = decoder.decompress(data + b"rest", 100)
    assert len(text) == 100
    assert not decoder.needs_input
    while not decoder.eof:
        piece = decoder.decompress(b"", codec.step)
        assert len(piece) <= codec.step <= BLOCK
        text += piece
    assert (text, decoder.unused_data) == (TEXT, b"rest")
    decoder = open_decoder()
    with pytest.raises(damage):
        deque((decoder.decompress(piece, codec.step) for piece in (data[:4] + b"x" * 1000, b"")), maxlen=0)


def test_gzip_returns_what_precedes_the_damage() -> None:
    open_decoder, damage = codec_of(gzip.compress(TEXT)).load()
    decoder = open_decoder()
    assert decoder.decompress(gzip.compress(b"text")[:-8] + b"x" * 8, BLOCK) == b"text"
    assert not decoder.needs_input
    with pytest.raises(damage, match="incorrect data check"):
        decoder.decompress(b"", BLOCK)


def test_a_skippable_frame_begins_a_zstd_file() -> None:
    assert codec_of(skippable_frame(b"x")).name == "zstd"
