"""The world: files, databases, providers. Everything that reads or writes anything outside the process."""
