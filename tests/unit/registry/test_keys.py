import pytest

from kong_app_auth.registry.keys import Keys, Table


def test_every_key_of_a_region_has_its_hash_tag():
    keys = Keys("eu-west")
    names = [keys.meta, keys.changes, keys.lease, keys.reports, *(keys.table(table) for table in Table)]
    assert all(name.startswith("kaa:{eu-west}:") for name in names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("region", ["", "EU", "a}", "{", "a*", "x" * 40, "a b"])
def test_what_is_no_region_has_no_keys(region):
    with pytest.raises(ValueError, match="region"):
        Keys(region)
