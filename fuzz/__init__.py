"""Fuzzing of what reads bytes that others wrote."""
