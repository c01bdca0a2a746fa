"""Downloaded exports -> settings: which report a file is, and the sources that read it.

A layout (`layouts/*.yaml`, and a shop's own beside funnelscope.yaml) says by which names in its header a report is
known, and maps it in the keys of `sources`. Nothing here stores anything.
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
