"""Every sentence that a user reads, built from a key and values.

Holds: `texts/<language>.yaml` (sentences and labels), `playbook.<language>.yaml` (names of faults and what to do about
them), `Words`, which fills the sentences, and `LocalizedMessage` and `CheckObservation`, which other packages store as
key and values.
In: a key, its values, a language. Out: text.
May import: nothing of ours. The report and all other packages may import it.
"""
