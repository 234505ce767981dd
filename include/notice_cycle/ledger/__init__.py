"""The evidence ledger 証跡台帳: append-only, hash-chained, and without personal data of insured persons."""
