"""A process that writes as a portal does, as fast as it can, until it is killed.

Arguments: URL of the database, portal, API, strategy, developer.
"""

import sys

from tests.control_plane.region import Region
from tests.control_plane.settings import control_plane

if __name__ == "__main__":
    url, portal, api, strategy, developer = sys.argv[1:]
    with control_plane(url) as plane:
        region = Region.__new__(Region)
        region.plane, region.region = plane, "eu"
        region.portal, region.api, region.strategy, region.developer = portal, api, strategy, developer
        print("writing", flush=True)
        while True:
            application, _ = region.application(keys=2)
            region.change_registration(application, "revoked")
