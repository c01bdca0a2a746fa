"""A simulated shop: landing files of any size, and the truth about them.

`simulate` writes what a shop would deliver, and `truth.json` with what really happened.
`funnelscope.simulator.simulation` lists the choices made where a definition leaves room.
In: seed, days, sessions a day, faults. Out: landing files, truth.json.
May import: events.
"""

from funnelscope.simulator.faults import FAULT_KINDS, Fault, FaultFile, load_faults
from funnelscope.simulator.landing_files import FILE_FORMATS
from funnelscope.simulator.promotions import SimulatedPromotion
from funnelscope.simulator.simulation import simulate

__all__ = ["FAULT_KINDS", "FILE_FORMATS", "Fault", "FaultFile", "SimulatedPromotion", "load_faults", "simulate"]
