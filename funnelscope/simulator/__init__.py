"""A shop that never was: landing files of any size, and the truth about them.

`simulate` writes what a shop would deliver, and beside it `truth.json` with what really happened. Choices made
where the definitions leave room are listed in `funnelscope.simulator.simulation`.
In: seed, days, sessions a day, faults. Out: landing files, truth.json.
May import: events.
"""

from funnelscope.simulator.faults import FAULT_KINDS, Fault, FaultFile, load_faults
from funnelscope.simulator.landing_files import FILE_FORMATS
from funnelscope.simulator.promotions import SimulatedPromotion
from funnelscope.simulator.simulation import simulate

__all__ = ["FAULT_KINDS", "FILE_FORMATS", "Fault", "FaultFile", "SimulatedPromotion", "load_faults", "simulate"]
