"""Downloaded exports -> settings: which report a file is, and the sources that read it.

Holds: layouts (`layouts/*.yaml`, and a shop's own beside funnelscope.yaml), which say by which names in its header a
report is known, and map it in the keys of `sources`; the drafting of settings from a folder.
In: files as downloaded. Out: text of a funnelscope.yaml, and what is sure, guessed or has to be told. Stores nothing.
May import: messages, events, settings, warehouse, ingest.
"""

from funnelscope.recognition.export_files import ExportFile, Table, find_exports, read_export
from funnelscope.recognition.folder_draft import draft_folder
from funnelscope.recognition.layouts_read import Layout, load_layouts
from funnelscope.recognition.recognize import Match, Nearness, Recognition, explain_nearness, recognize
from funnelscope.recognition.settings_draft import SettingsDraft, Sureness

__all__ = [
    "ExportFile",
    "Layout",
    "Match",
    "Nearness",
    "Recognition",
    "SettingsDraft",
    "Sureness",
    "Table",
    "draft_folder",
    "explain_nearness",
    "find_exports",
    "load_layouts",
    "read_export",
    "recognize",
]
