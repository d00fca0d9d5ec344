"""What pip must install beside the package before certain providers can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from gland_assets.core.project import Deployment

EXTRAS: Mapping[str, tuple[str, str]] = {
    "bedrock": ("boto3", "bedrock"), "bedrock_converse": ("boto3", "bedrock"), "sagemaker": ("boto3", "bedrock"),
    "sagemaker_chat": ("boto3", "bedrock"), "vertex_ai": ("google.auth", "vertex"), "vertex_ai_beta": ("google.auth", "vertex"),
}  # fmt: skip
"""Provider as litellm names it -> the module its requests are signed with, and the extra of this package that brings it."""


def lacking_extra(deployment: Deployment) -> tuple[str, str] | None:
    """What is missing for this deployment's provider, and what installs it; None when nothing is."""
    provider = (deployment.route or deployment.model).partition("/")[0]
    if provider not in EXTRAS:
        return None
    module, extra = EXTRAS[provider]
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # of the package around it
        found = None
    return None if found else (f"{provider} needs the module {module}", f"run `pip install 'gland[{extra}]'`")
