"""A shop that never was: landing files of any size, and the truth about them.

`simulate` writes what a shop would deliver, and beside it `truth.json` with what really happened. Choices made
where the definitions leave room are listed in `pipelines.simulate.run`.
"""

from pipelines.simulate.calendar import Promotion
from pipelines.simulate.faults import FAULT_KINDS, Fault, FaultFile, load_faults
from pipelines.simulate.landing import FILE_FORMATS
from pipelines.simulate.run import simulate

__all__ = ["FAULT_KINDS", "FILE_FORMATS", "Fault", "FaultFile", "Promotion", "load_faults", "simulate"]
