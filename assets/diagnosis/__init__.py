"""Diagnosis: where a measure left its expectation, and how sure that is. Method and sources: docs/diagnosis.md."""
