"""Every sentence that a user reads, made of a key and values.

Holds: `texts/<language>.yaml` (sentences and labels), `playbook.<language>.yaml` (what a fault is called and what to
do), `Words` that fills and writes them, `LocalizedMessage` and `CheckObservation` that other rooms store as key and
values.
In: a key, its values, a language. Out: text.
May import: nothing of ours. The report and every other room may import it.
"""
