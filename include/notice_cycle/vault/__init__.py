"""The vault 一時保管領域: the personal data and keys of a cycle, encrypted at rest, wiped when done, never backed up."""

from notice_cycle.vault.store import CycleVault, Vault

__all__ = ["CycleVault", "Vault"]
