"""The template of a stack without what an emulator of AWS does not know."""

from __future__ import annotations

import re

from dockercise_prefect.aws.stack.rendering import template


def template_for_moto() -> str:
    """The template for moto 5: it knows no URLs of functions, and no tags of parameters."""
    text = re.sub(r"  WebhookUrl: .*\n|  DoorUrl:\n(    .*\n)+", "", template())
    return text.replace("      Tags: {dockercise: !Ref AWS::StackName}\n", "")


def template_for_ministack() -> str:
    """The template for MiniStack 1.5: it takes the right to read several parameters at once only for all parameters."""
    return re.sub(r"(Action: ssm:GetParameters(?:ByPath)?\n +Resource:)\n(?: +- !(?:Sub|If) .*\n)*", r'\1 "*"\n', template())
