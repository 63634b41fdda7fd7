"""Candidates measured on a cluster."""

from experiments.cluster.ray_workers import RayWorkers, connect

__all__ = ["RayWorkers", "connect"]
