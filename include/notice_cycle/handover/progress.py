"""How far a long transfer is, for the log of its task: bytes, rate and the time that is left."""

from dataclasses import dataclass

_MEGABYTE = 1_000_000
_MINUTE = 60


@dataclass(frozen=True)
class Passage:
    """One look at a transfer: `done` of `total` bytes, of which `moved` in the `seconds` since it went on."""

    name: str
    done: int
    total: int
    moved: int
    seconds: float

    @property
    def text_ja(self) -> str:
        """〈名前〉: 52,428,800 / 104,857,600 バイト（50%）、毎秒 4.2 MB、残り約12秒."""
        share = self.done * 100 // self.total if self.total else 100
        said = f"{self.name}: {self.done:,} / {self.total:,} バイト（{share}%）"
        if not (self.moved and self.seconds > 0):
            return f"{said}。"
        rate = self.moved / self.seconds
        left = round((self.total - self.done) / rate)
        return f"{said}、毎秒 {rate / _MEGABYTE:,.1f} MB、{'終わりました' if self.done >= self.total else f'残り約{_duration(left)}'}。"


def _duration(seconds: int) -> str:
    return f"{seconds}秒" if seconds < 2 * _MINUTE else f"{round(seconds / _MINUTE)}分"
