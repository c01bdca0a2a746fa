"""The UI as a service: Dagster's processes as one group, and the guard in front of its web server."""
