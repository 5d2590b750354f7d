"""Stages with `matrix`: their instances, and the stages that use them (LANGUAGE-2 sections 9 and 10)."""
