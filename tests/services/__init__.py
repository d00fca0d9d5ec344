"""Builds against real services from the system's packages."""
