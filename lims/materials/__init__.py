"""Regions, cements and their lots, aggregates and their samples, mineral and chemical admixtures."""
