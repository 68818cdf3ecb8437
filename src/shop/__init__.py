"""The one place that knows every context: settings, wiring, REST, CLI, embedded servers."""
