"""Trials, batches, the sampling plan with its sets and specimens, labels, curing."""
