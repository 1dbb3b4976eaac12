"""The figures: what a request costs beside other plugin servers, how fast a change arrives, how much fits."""
