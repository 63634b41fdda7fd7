"""How channels run through a network: followed by labels, coupled, and verified by cuts."""

from amc.tracing.build import GraphError, survey, trace

__all__ = ["GraphError", "survey", "trace"]
