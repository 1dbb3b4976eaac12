"""The declarative source: `apps.yaml`, for operators who keep everything in git and want no portal."""
