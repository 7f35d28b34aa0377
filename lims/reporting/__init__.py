"""Summaries and their workbook, control charts, certificates."""
