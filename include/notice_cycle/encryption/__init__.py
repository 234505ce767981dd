"""Everything that keeps a dispatch secret and proves who made it.

`age` and `stream` encrypt, `passphrase` makes what a person types, `wrapping` guards keys at rest,
`sshsig` signs and verifies. Nothing here knows a path of the vault, a contractor or Airflow.
"""
