"""The managed plugin: the plugin is on every Gateway Service whose API accepts somebody, and is kept there."""
