"""Funnels that analysts declare: the specification, the events it is asked of, and the answer."""
