"""Erasure 消去: the contractor says copy by copy what it erased, and the ward itself confirms it."""
