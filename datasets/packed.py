"""How files begin that are packed, or that hold no text as it is."""

import codecs

GZIP = b"\x1f\x8b"  # how a gzipped file begins
FOREIGN = {  # how files begin that are not read, and what to do with them
    b"BZh": "is packed with bzip2: unpack it first",
    b"\xfd7zXZ": "is packed with xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "is packed with zstd: unpack it first",
    b"PK\x03\x04": "is a zip archive: unpack it first",
    b"7z\xbc\xaf": "is a 7z archive: unpack it first",
    codecs.BOM_UTF16_LE: "is text in UTF-16: save it as ASCII or UTF-8",
    codecs.BOM_UTF16_BE: "is text in UTF-16: save it as ASCII or UTF-8",
}
TAR = slice(257, 262)  # where "ustar" stands in a tar archive


def foreign_format(begin: bytes) -> str | None:
    """What is to be done with a file that begins like this, in words; None where it may be text.

    Args:
        begin: At least its first 262 bytes, unpacked where it was gzipped.
    """
    for start, advice in FOREIGN.items():
        if begin.startswith(start):
            return advice
    if begin[TAR] == b"ustar":
        return "is a tar archive: unpack it and name one of its files"
    return None
