"""Prices, comparisons of cements at equal strength, changes at the works, trials for a customer."""
