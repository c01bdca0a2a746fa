"""When and how Funnelscope runs: definitions for Dagster, the command line, and the simulator that makes a shop."""
