"""What a workbook may cost before it is read: calamine holds all cells of a sheet up to the farthest one.

An .xlsx is unpacked piece by piece and its cells are located. An .xls is opened by another process first, whose memory
and time are bounded: calamine believes what its tables claim to hold, and where it cannot get so much, it ends the
process that asked.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from python_calamine import CalamineWorkbook

from funnelscope.ingest.mapping.source_mapping import DeliveryError
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.ingest.readers.record_stage import is_clean
from funnelscope.messages.check_observations import LocalizedMessage

MOST_CELLS = 32_000_000  # of all sheets, each up to its farthest cell, empty or not
MOST_UNPACKED = 2**30
UNPACKED_AT_ONCE = 2**20
LONGEST_PLACE = 40
MEMORY_OF_AN_OLD_WORKBOOK = 3 * 2**30
SECONDS_OF_AN_OLD_WORKBOOK = 120
OLD_WORKBOOK_MARK = b"\xd0\xcf\x11\xe0"
PANICS = "pyo3_runtime"  # the module of the exceptions, no subclass of Exception, that calamine raises of its defects
_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{0,3})(\d{1,9})["']""")
_MEASURE = """
import json, resource, sys
memory, seconds = int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
from python_calamine import CalamineError, CalamineWorkbook, PasswordError
sizes = []
try:
    with open(sys.argv[1], "rb") as stream:
        workbook = CalamineWorkbook.from_filelike(stream)
    for name in workbook.sheet_names:
        sheet = workbook.get_sheet_by_name(name)
        row, column = sheet.end or (-1, -1)
        sizes.append((name, row + 1, column + 1))
except (CalamineError, PasswordError):
    pass  # whoever opens it next learns of it
print(json.dumps(sizes))
"""


def refuse_giant_workbook(path: Path) -> None:
    """Raises DeliveryError for a workbook that would fill the memory."""
    if zipfile.is_zipfile(path):
        _refuse_giant_archive(path)
    else:
        _refuse_giant_old_workbook(path)


def open_workbook(path: Path) -> CalamineWorkbook:
    """The workbook, of the kind that its content is: platforms name an .xlsx .xls. Raises CalamineError and OSError."""
    with path.open("rb") as stream:
        is_old = stream.read(len(OLD_WORKBOOK_MARK)) == OLD_WORKBOOK_MARK
        if is_clean(str(path)) and is_old == (path.suffix.lower() == ".xls"):
            return CalamineWorkbook.from_path(path)
        stream.seek(0)
        return CalamineWorkbook.from_filelike(stream)  # a name that is no UTF-8 means nothing to calamine


@contextmanager
def set_panics_aside() -> Iterator[None]:
    """Raises DeliveryError in place of a defect of calamine."""
    try:
        yield
    except BaseException as error:
        if type(error).__module__ != PANICS:
            raise
        raise _describe_damage(str(error)) from None


def number_column(letters: str) -> int:
    """The place of a column such as B, counted from 0."""
    column = 0
    for letter in letters:
        column = 26 * column + ord(letter) - ord("A") + 1
    return column - 1


def _refuse_giant_archive(path: Path) -> None:
    unpacked = cells = 0
    with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
        for member in archive.infolist():
            rows = columns = 0
            rest = b""
            for part in _unpack(stream, member):
                unpacked += len(part)
                if unpacked > MOST_UNPACKED:
                    megabytes = f"{MOST_UNPACKED >> 20:,}"
                    message = LocalizedMessage("workbook_unpacks", sheet=member.filename, megabytes=megabytes)
                    raise DeliveryError(QuarantineReason.UNREADABLE, message)
                if member.filename.endswith(".xml"):
                    text = rest + part
                    for letters, number in _PLACE.findall(text):
                        rows = max(rows, int(number))
                        columns = max(columns, number_column(letters.decode().upper()) + 1)
                    if cells + rows * columns > MOST_CELLS:
                        raise _describe_giant_sheet(member.filename, rows, columns)
                    rest = text[-LONGEST_PLACE:]
            cells += rows * columns


def _refuse_giant_old_workbook(path: Path) -> None:
    limits = (str(MEMORY_OF_AN_OLD_WORKBOOK), str(SECONDS_OF_AN_OLD_WORKBOOK))
    done = subprocess.run(
        [sys.executable, "-I", "-c", _MEASURE, os.fsencode(path), *limits], capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _describe_damage(said[-1] if said and done.returncode > 0 else _name_limits())
    cells = 0
    for name, rows, columns in json.loads(done.stdout):
        cells += rows * columns
        if cells > MOST_CELLS:
            raise _describe_giant_sheet(name, rows, columns)


def _name_limits() -> str:
    memory = f"{MEMORY_OF_AN_OLD_WORKBOOK >> 20:,} MB"
    return f"cannot be opened with {memory} and {SECONDS_OF_AN_OLD_WORKBOOK} s of a processor"


def _describe_damage(problem: str) -> DeliveryError:
    return DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage("damaged", error=problem[:200]))


def _describe_giant_sheet(name: str, row: int, column: int) -> DeliveryError:
    values = {"sheet": name, "row": f"{row:,}", "column": f"{column:,}", "cells": f"{MOST_CELLS:,}"}
    return DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage("sheet_too_large", **values))


def _unpack(stream: IO[bytes], member: zipfile.ZipInfo) -> Iterator[bytes]:
    """What really is in a member of an archive, whose directory may claim less."""
    stream.seek(member.header_offset + 26)
    lengths = stream.read(4)
    stream.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), os.SEEK_CUR)
    packed = stream.read(member.compress_size)
    if member.compress_type != zipfile.ZIP_DEFLATED:
        yield packed
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    while packed and not inflate.eof:
        yield inflate.decompress(packed, UNPACKED_AT_ONCE)
        packed = inflate.unconsumed_tail
