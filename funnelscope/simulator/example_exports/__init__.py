"""Exports of made-up shops in the layouts that platforms document, for the folders of `examples`.

Each module is named like its example and has one function, `write_exports(folder, first_date, last_date)`, which writes
the same files every time. One thing breaks in each shop on a day that the module names; the report should find it.
May import: events.
"""
