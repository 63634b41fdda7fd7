"""Accuracy against sparsity of single weights."""
