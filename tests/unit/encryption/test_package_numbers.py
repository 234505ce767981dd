"""The number of a package: after every one that was ever made, also of those that a restored ledger forgot."""

import pytest
from tests.builders import CYCLE, a_cycle, a_file

from notice_cycle.encryption.package import next_number
from notice_cycle.records import EncryptionRecord, PackageBeyond


def made(number: int) -> EncryptionRecord:
    return a_cycle()[EncryptionRecord].model_copy(update={"package": f"{CYCLE}-p{number}"})


def beyond(number: int) -> PackageBeyond:
    package = f"{CYCLE}-p{number}"
    return PackageBeyond(package=package, encrypted_file=a_file(f"{package}.csv.age"))


@pytest.mark.parametrize(
    ("known", "forgotten", "expected"),
    [
        ([], [], 1),
        ([1], [], 2),
        ([1, 2], [], 3),
        ([], [1], 2),
        ([2], [1], 3),
        ([1], [3], 4),
        ([10], [9], 11),
        ([2], [1, 1], 3),
    ],
)
def test_no_number_is_given_twice(known: list[int], forgotten: list[int], expected: int) -> None:
    assert next_number(map(made, known), map(beyond, forgotten)) == expected
