import pytest

from kong_app_auth.registry.position import Position
from kong_app_auth.replica.layout import State, decode_state, encode_state, generation_of


def test_state_comes_back_as_it_was():
    state = State.of("eu", Position("epoch", 5, "tip"))
    assert decode_state(encode_state(state)) == state
    assert state.position == Position("epoch", 5, "tip")


@pytest.mark.parametrize(
    "data",
    [None, b"", b"\xc1", encode_state(State(2, 1, "eu", "e", 1, "t")), encode_state(State(1, 2, "eu", "e", 1, "t"))],
)
def test_state_that_is_missing_damaged_or_of_another_version_is_none(data):
    assert decode_state(data) is None


@pytest.mark.parametrize(
    ("name", "generation"),
    [
        ("registry.7.mdb", 7),
        ("registry.7.mdb-lock", 7),
        ("suspect.12", 12),
        ("status", None),
        ("registry.x.mdb", None),
        ("registry.7.mdb.bak", None),
        ("follower.lock", None),
    ],
)
def test_generation_is_read_from_the_name_of_a_file_of_ours_only(name, generation):
    assert generation_of(name) == generation
