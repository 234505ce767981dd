"""The pools that keep heavy work and the LGWAN line from being overrun."""

POOLS = {
    "heavy": (1, "抽出・検証・印字データ作成・暗号化（メモリと CPU を多く使う処理）"),
    "lgwan": (4, "委託先のホストに接続する処理"),
}
"""Name to (slots, description)."""


def synchronise_pools() -> None:
    """Makes the metadata database hold exactly these slots; twice changes nothing."""
    from airflow.models.pool import Pool

    for name, (slots, description) in POOLS.items():
        Pool.create_or_update_pool(name, slots=slots, description=description, include_deferred=False)
