"""A package, so that its tests share one data path and end it before others begin."""
