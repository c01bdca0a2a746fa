"""Packs the files that are no Python into the wheel, where funnelscope/project_files.py finds them."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("sql", "examples", "funnels", "funnelscope.yaml", "workspace.yaml")


class BuildWithShippedFiles(build_py):
    """Starts from an empty folder, so that nothing of an earlier build is packed."""

    def run(self) -> None:
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        if not self.editable_mode:
            for name in SHIPPED:
                _copy(Path(name), Path(self.build_lib) / "funnelscope" / "shipped" / name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    else:
        shutil.copyfile(source, target)


setup(cmdclass={"build_py": BuildWithShippedFiles})
