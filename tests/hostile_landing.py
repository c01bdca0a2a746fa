"""Draws landing zones that hold a few good files among what nobody should deliver: names, links, dates, contents."""

import ctypes
import gzip
import io
import os
import random
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

DAY = date(2026, 1, 6)
MOMENT = datetime(2026, 1, 6, 10, tzinfo=UTC)
COLUMNS = ("event_id", "event_time", "event_type", "order_id", "amount")
SOURCES: list[dict[str, Any]] = [
    {"family": "order"},
    {"family": "order", "delivery_date": "modified"},
    {"family": "order", "where": "coalesce(event_type, '') <> 'nothing'"},
    {"family": "order", "expressions": {"order_id": "upper(order_id)"}},
    {"family": "order", "skip_lines": "^(合计|#)"},
    {"family": "order", "duplicates": "keep"},
]


def rows_of(name: str, count: int) -> list[dict[str, str]]:
    """Rows that every source here takes; no two files hold the same."""
    return [
        {
            "event_id": f"{name} {number}",
            "event_time": f"2026-01-06T{number % 24:02}:00:00Z",
            "event_type": "paid",
            "order_id": f"o{name} {number}",
            "amount": f"{number}.50",
        }
        for number in range(count)
    ]


def as_csv(rows: list[dict[str, str]]) -> bytes:
    return "".join(",".join(row) + "\n" for row in [COLUMNS, *(row.values() for row in rows)]).encode()


def as_json_lines(rows: list[dict[str, str]]) -> bytes:
    pairs = (", ".join(f'"{key}": "{value}"' for key, value in row.items()) for row in rows)
    return "".join(f"{{{pair}}}\n" for pair in pairs).encode()


def as_parquet(columns: dict[str, Any] | pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), sink, **options)
    return bytes(sink.getvalue())


def as_workbook(rows: list[list[Any]]) -> bytes:
    workbook, content = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        workbook.active.append(row)
    workbook.save(content)
    return content.getvalue()


def as_old_workbook(
    sheets: dict[str, list[tuple[int, int, str | float]]], claimed: tuple[int, int, int, int] | None = None
) -> bytes:
    """An .xls with cells of row, column and value. `claimed`: the rows and columns that its sheets say they hold."""

    def record(kind: int, content: bytes = b"") -> bytes:
        return struct.pack("<HH", kind, len(content)) + content

    def begin(kind: int) -> bytes:
        return record(0x809, struct.pack("<HHHHII", 0x600, kind, 0x0DBB, 0x07CC, 0x41, 6))

    def write_sheet(cells: list[tuple[int, int, str | float]]) -> bytes:
        size = record(0x200, struct.pack("<IIHHH", *claimed, 0)) if claimed else b""
        written = b"".join(
            record(0x204, struct.pack("<HHHHB", row, column, 0, len(value), 0) + value.encode())
            if isinstance(value, str)
            else record(0x203, struct.pack("<HHHd", row, column, 0, value))
            for row, column, value in cells
        )
        return begin(0x10) + size + written + record(0xA)

    def write_index(first: int) -> bytes:
        places, place = [], first
        for name, written in bodies.items():
            places.append(record(0x85, struct.pack("<IHBB", place, 0, len(name), 0) + name.encode()))
            place += len(written)
        return begin(5) + record(0x42, struct.pack("<H", 1200)) + b"".join(places) + record(0xA)

    bodies = {name: write_sheet(cells) for name, cells in sheets.items()}
    stream = write_index(len(write_index(0))) + b"".join(bodies.values())
    sectors = max(8, -(-len(stream) // 512))
    assert sectors < 126, "more than one sector of places"
    last, free, of_table = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
    chain = [of_table, last, *range(3, 2 + sectors), last]
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, 1, 1, 0, 4096, last, 0, last, 0) + struct.pack("<109I", 0, *[free] * 108)

    def write_entry(name: str, kind: int, child: int, first: int, size: int) -> bytes:
        letters = f"{name}\0".encode("utf-16-le")
        links = struct.pack("<HBBIII", len(letters), kind, 1, free, free, child)
        return letters.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", first, size)

    entries = write_entry("Root Entry", 5, 1, last, 0) + write_entry("Workbook", 2, free, 2, sectors * 512)
    table = struct.pack("<128I", *chain, *[free] * (128 - len(chain)))
    return header + table + entries.ljust(512, b"\0") + stream.ljust(sectors * 512, b"\0")


def good_files(dice: random.Random) -> dict[str, tuple[bytes, int]]:
    """Names to contents and numbers of rows."""
    made: dict[str, tuple[bytes, int]] = {}
    for name, write in {
        "good.csv": as_csv,
        "good.jsonl": as_json_lines,
        "good.csv.gz": lambda rows: gzip.compress(as_csv(rows)),
        "good.parquet": lambda rows: as_parquet(pa.Table.from_pylist(rows)),
        "good2.parquet": lambda rows: as_parquet(pa.Table.from_pylist(rows)),
        "good.xlsx": lambda rows: as_workbook([list(COLUMNS), *(list(row.values()) for row in rows)]),
    }.items():
        if dice.random() < 0.6 or not made:
            count = dice.randint(1, 40)
            made[name] = (write(rows_of(name, count)), count)
    return made


# -- contents


def _cell(dice: random.Random) -> str:
    return dice.choice(
        [
            *(
                "9999-12-31 23:59:59",
                "0001-01-01 00:00:00",
                "0000-00-00",
                "2026-02-30 10:00:00",
                "infinity",
                "-infinity",
            ),
            *("epoch", "now", "today", "2026-03-29 02:30:00", "2026-10-25 02:30:00", "2026-01-06T24:00:00Z"),
            *(
                "2026-01-06T10:00:00+14:00",
                "2026-01-06T10:00:00+99:99",
                "2026-01-06T23:59:60Z",
                "290309-12-22 (BC) 00:00",
            ),
            *("1767693600", "9223372036854775807", "-9223372036854775808", "1e308", "NaN", "1" * 400, "0x7f", "'; --"),
            *(
                "\ufeff",
                "\u202e",
                "\u200b",
                "\x1b[31m",
                "\x7f",
                "ａｂｃ",
                "é",
                "e\u0301",
                "𝟙𝟚",
                "=cmd|' /C calc'!A0",
                "$1",
                "${HOME}",
            ),
            *("{}", "[]", "null", "true", "[" * 3_000, '{"a":' * 3_000, "x" * 5_000, "\\", "\\u0000", "%s%n", "", " "),
        ]
    )


def _line(dice: random.Random) -> dict[str, str]:
    (row,) = rows_of(f"odd{dice.random()}", 1)
    for name in dice.sample(COLUMNS, dice.randint(1, 3)):
        row[name] = _cell(dice)
    return row


def _odd_csv(dice: random.Random) -> bytes:
    rows = [[value.replace('"', '""') for value in _line(dice).values()] for _ in range(dice.randint(1, 6))]
    text = ",".join(COLUMNS) + "\n" + "".join(",".join(f'"{value}"' for value in row) + "\n" for row in rows)
    return text.encode()


def _odd_json(dice: random.Random) -> bytes:
    import json

    depth = dice.choice([10, 900, 1_000, 10_000, 100_000])
    strange = [
        "[" * depth + "]" * depth,
        '{"event_time": ' + '{"a":' * depth + "1" + "}" * depth + "}",
        '{"event_time": ' + "[" * depth + "}",
        '{"event_id": "\\ud800", "event_time": "2026-01-06T10:00:00Z", "event_type": "paid"}',
        '{"\\udc00": "1", "event_time": "2026-01-06T10:00:00Z", "event_type": "paid"}',
        '{"event_id": "1", "event_id": "2"}',
        '{"event_id": "1", "EVENT_ID": "2"}',
        '{"": "1", " ": "2"}',
        '{"row_": "1", "record_": "2", "problem_": "3"}',
        '{"a\\nb": "1", "\\"": "2", "x.y": 3, "\\u0000": 4}',
        "{" + ", ".join(f'"k{number}": {number}' for number in range(dice.choice([900, 1_001, 3_000]))) + "}",
        '{"' + "k" * 70_000 + '": 1}',
        '{"amount": 1' + "0" * 5_000 + ', "event_time": NaN, "event_type": -Infinity}',
        '{"amount": 1e999999999}',
        "nul",
        '"text"',
        "{}",
        "\0" * 100,
        "{" * 5_000,
    ]
    lines = [*dice.sample(strange, dice.randint(1, 5)), *(json.dumps(_line(dice)) for _ in range(dice.randint(0, 3)))]
    dice.shuffle(lines)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _bytes(dice: random.Random) -> bytes:
    return dice.choice(
        [
            b"",
            b"\n" * 500,
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            (",".join(COLUMNS)).encode(),
            (",".join(COLUMNS) + "\r").encode("utf-16"),
            dice.randbytes(3_000),
            dice.randbytes(3_000).replace(b"\n", b""),
            bytes(range(256)) * 20,
            b"\0" * 10_000,
            b'"' * 9_999,
            b"," * 300_000,
            b"a," * 200_000 + b"\n",
            (",".join(COLUMNS) + "\n").encode() + b'"' + b"x,\n" * 60_000,
            b"<html><body>login</body></html>",
            b"PK\x03\x04" + dice.randbytes(400),
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2_000,
            b"PAR1" + dice.randbytes(200) + b"PAR1",
            b"PARE" + dice.randbytes(200) + b"PARE",
        ]
    )


def _gzip(dice: random.Random) -> bytes:
    whole = gzip.compress(as_csv(rows_of(f"gz{dice.random()}", 30)))
    return dice.choice(
        [
            whole[: dice.randrange(len(whole))],
            gzip.compress(whole),
            whole + b"trailing rubbish",
            whole[:20] + dice.randbytes(10) + whole[30:],
            gzip.compress(b"0" * 20_000_000),  # a line above the bound
            gzip.compress(as_csv([]) + b"\n" * 300_000),
            gzip.compress(b""),
            b"",
        ]
    )


def _odd_array(dice: random.Random, count: int) -> pa.Array:
    """A column that a reader of times, texts and amounts does not expect."""
    far = [2**63 - 1, -(2**63) + 1, 0]
    whole: list[Any] = [far[place % 3] for place in range(count)]
    return dice.choice(
        [
            *(lambda unit=unit: pa.array(whole, pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")),
            *(lambda unit=unit: pa.array(whole, pa.timestamp(unit, "UTC")) for unit in ("s", "ms", "us")),
            lambda: pa.array([2**31 - 1, -(2**31), 0][:count] + [0] * (count - 3), pa.date32()),
            lambda: pa.array([86_399] * count, pa.time32("s")),
            lambda: pa.array([1] * count, pa.time64("ns")),
            lambda: pa.array([2**62] * count, pa.duration("us")).cast(pa.int64()),
            lambda: pa.array([Decimal("1e37")] * count, pa.decimal128(38, 0)),
            lambda: pa.array([Decimal("9" * 70)] * count, pa.decimal256(76, 2)),
            lambda: pa.array([Decimal("0." + "1" * 38)] * count, pa.decimal128(38, 38)),
            lambda: pa.array([[1, 2], None, []] * count, pa.list_(pa.int64())).slice(0, count),
            lambda: pa.array([{"a": {"b": [1]}}] * count),
            lambda: pa.array([[("k", "v"), ("k", "w")]] * count, pa.map_(pa.string(), pa.string())),
            lambda: pa.array(["paid", "no such"] * count).slice(0, count).dictionary_encode(),
            lambda: pa.array([b"\xff\xfe\x00"] * count, pa.binary()),
            lambda: pa.array([b"0123456789abcdef"] * count, pa.binary(16)),
            lambda: pa.array([None] * count, pa.null()),
            lambda: pa.array([float("nan"), float("inf"), -0.0] * count).slice(0, count),
            lambda: pa.array([2**64 - 1] * count, pa.uint64()),
            lambda: pa.array([True] * count),
            lambda: pa.array(["\0", "\ufffe", "x" * 100_000] * count, pa.large_string()).slice(0, count),
            lambda: pa.array([1.5] * count, pa.float16()),
        ]
    )()


def _write_or_coerce(table: pa.Table, **options: Any) -> bytes:
    try:
        return as_parquet(table, **options)
    except pa.ArrowException:  # what the format cannot hold
        return as_parquet(pa.table({"event_time": pa.array([2**63 - 1] * len(table), pa.timestamp("us"))}), **options)


def _parquet(dice: random.Random) -> bytes:
    count = dice.randint(3, 30)
    table = pa.Table.from_pylist(rows_of(f"pq{dice.random()}", count))
    for name in dice.sample([*COLUMNS, "page", 'a"b', "a'b", "x.y", "a\nb", "ROW", "n" * 3_000, "select", "订单"], 2):
        if name in table.column_names:
            table = table.drop_columns([name])
        table = table.append_column(name, _odd_array(dice, count))
    if dice.random() < 0.15:
        return as_parquet(table.slice(0, 0))
    if dice.random() < 0.1:
        return as_parquet({"event_time": pa.array([MOMENT] * 3)}, use_deprecated_int96_timestamps=True)
    content = _write_or_coerce(table, compression=dice.choice(["snappy", "zstd", "gzip", "brotli", "lz4", "none"]))
    if dice.random() < 0.3:
        place = dice.randrange(len(content))
        content = content[:place] + dice.randbytes(dice.randint(1, 9)) + content[place + dice.randint(0, 9) :]
    return content[: dice.randrange(len(content))] if dice.random() < 0.1 else content


def _workbook(dice: random.Random) -> bytes:
    whole = as_workbook([list(COLUMNS), *(list(_line(dice).values()) for _ in range(0))])
    packed = io.BytesIO()
    sheet = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
    far = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    laughs = '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;&b;">]>' + sheet.format("<row><c><v>&c;</v></c></row>")
    replaced = dice.choice([far, "<row>" * 2_000, "", "<row r='0'><c r='A0'><v>1</v></c></row>", None])
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("sheet1.xml"):
                content = (laughs if replaced is None else sheet.format(replaced)).encode()
            if not (name.endswith("rels") and dice.random() < 0.1):
                new.writestr(name, content)
    encrypted = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + dice.randbytes(3_000)
    return dice.choice([packed.getvalue(), packed.getvalue(), encrypted, whole[: dice.randrange(len(whole))]])


CONTENTS: dict[str, Callable[[random.Random], bytes]] = {
    ".csv": _odd_csv,
    ".tsv": _odd_csv,
    ".jsonl": _odd_json,
    ".json": _odd_json,
    ".csv.gz": _gzip,
    ".jsonl.gz": _gzip,
    ".csv.zst": lambda dice: pa.compress(_odd_csv(dice), "zstd", asbytes=True)[: dice.choice([10, 10_000])],
    ".parquet": _parquet,
    ".xlsx": _workbook,
    ".xls": _bytes,
    "": _bytes,
}


def _content(dice: random.Random, ending: str) -> bytes:
    return (_bytes if dice.random() < 0.25 else CONTENTS[ending])(dice)


# -- names and places

NAMES: list[Callable[[random.Random], bytes]] = [
    lambda dice: b"plain%d" % dice.randrange(10**9),
    lambda dice: "订单".encode("gbk") + b"%d" % dice.randrange(99),
    lambda dice: rb"\xb6\xa9\xb5\xa5",  # what the name before is shown as
    lambda dice: "订单".encode("gbk"),
    lambda dice: b"\xff\xfe\xed\xa0\x80",
    lambda dice: b"n" * dice.choice([200, 240]),
    lambda dice: b"line\nbreak\r\t",
    lambda dice: b"-rf --help",
    lambda dice: b"--",
    lambda dice: b"a b'c\"d`e$(f);g|h&i",
    lambda dice: b"[*]?{}",
    lambda dice: b"GOOD",
    lambda dice: "ｇood".encode(),
    lambda dice: "g\u043e\u043ed".encode(),
    lambda dice: "e\u0301".encode(),
    lambda dice: "é".encode(),
    lambda dice: "\u202egnp".encode(),
    lambda dice: b"\x1b[31mred\x07",
    lambda dice: b"dt=2026-99-99",
    lambda dice: b"..good",
    lambda dice: b".hidden",
    lambda dice: b"good.csv.part",
]
DELIVERED = [DAY.isoformat()] * 12 + [
    "2026-02-30",
    "0000-00-00",
    "0001-01-01",
    "9999-12-31",
    "2026-1-6",
    "2026-01-06 ",
    "x",
]


@dataclass(frozen=True)
class Placed:
    """A hostile file: its path, how it was made, and whether it is certain to be set aside."""

    path: Path
    how: str
    is_surely_bad: bool = False


def place_hostile(dice: random.Random, family: Path, number: int) -> Placed:
    """Makes one hostile entry below the family's folder."""
    folder = family / f"dt={dice.choice(DELIVERED)}"
    folder.mkdir(parents=True, exist_ok=True)
    ending = dice.choice(list(CONTENTS))
    name = dice.choice(NAMES)(dice) + (b"" if dice.random() < 0.5 else b"%d" % number) + ending.encode()
    path = folder / os.fsdecode(name)
    if path.exists() or path.is_symlink():
        path = folder / f"{number}{ending}"
    kinds = [_file] * 14 + [
        _link,
        _link,
        _folder,
        _locked_folder,
        _pipe,
        _socket,
        _locked,
        _dated,
        _dated,
        _moving,
        _moving,
    ]
    return dice.choice(kinds)(dice, path, ending)


def _file(dice: random.Random, path: Path, ending: str) -> Placed:
    path.write_bytes(_content(dice, ending))
    return Placed(path, "file")


def _link(dice: random.Random, path: Path, ending: str) -> Placed:
    targets = [
        path.name,
        "nothing here",
        "/etc/passwd",
        "/dev/zero",
        "/dev/stdin",
        "..",
        ".",
        "../../..",
        "/",
        "x" * 250,
    ]
    other = path.with_name(f"other{path.name[-50:]}")
    if dice.random() < 0.3 and not other.exists():
        other.symlink_to(path.name)
        targets = [other.name]
    path.symlink_to(target := dice.choice(targets))
    return Placed(path, f"link to {target}", is_surely_bad=True)


def _folder(dice: random.Random, path: Path, ending: str) -> Placed:
    path.mkdir()
    (path / "inner.csv").write_bytes(as_csv(rows_of("inner", 2)))
    return Placed(path, "folder", is_surely_bad=True)


def _locked_folder(dice: random.Random, path: Path, ending: str) -> Placed:
    folder = path.parent.with_name(f"dt=2026-01-0{dice.randint(1, 5)}")
    folder.mkdir(exist_ok=True)
    (folder / "inner.csv").write_bytes(as_csv(rows_of("inner", 2)))
    folder.chmod(0)
    return Placed(folder, "locked folder", is_surely_bad=True)


def _pipe(dice: random.Random, path: Path, ending: str) -> Placed:
    os.mkfifo(path)
    return Placed(path, "pipe", is_surely_bad=True)


def _socket(dice: random.Random, path: Path, ending: str) -> Placed:
    os.mknod(path, stat.S_IFSOCK | 0o600)
    return Placed(path, "socket", is_surely_bad=True)


def _locked(dice: random.Random, path: Path, ending: str) -> Placed:
    path.write_bytes(as_csv(rows_of("locked", 2)))
    path.chmod(0)
    return Placed(path, "locked", is_surely_bad=True)


def _dated(dice: random.Random, path: Path, ending: str) -> Placed:
    path.write_bytes(_content(dice, ending))
    seconds = dice.choice([-(2**40), -(2**33), -1, 0, 2**31, 2**34 - 1, 253_402_300_799, 253_402_300_800, 2**45])
    os.utime(path, (seconds, seconds))
    return Placed(path, f"modified at {seconds}")


def _moving(dice: random.Random, path: Path, ending: str) -> Placed:
    path.write_bytes(_content(dice, ending))
    return Placed(path, dice.choice(["vanishes", "grows", "becomes a folder", "becomes a link"]))


CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1 << 1, 1 << 2


@contextmanager
def without_privileges() -> Iterator[None]:
    """Not even root may read what is locked: takes two capabilities of this thread, and gives them back."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    before = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    assert libc.capget(header, before) == 0
    less = (ctypes.c_uint32 * 6)(*before)
    less[0] &= ~(CAP_DAC_OVERRIDE | CAP_DAC_READ_SEARCH)
    assert libc.capset(header, less) == 0
    try:
        yield
    finally:
        assert libc.capset(header, before) == 0
