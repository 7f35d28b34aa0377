"""Customers and prospects, their people, sites, stocks and usage cards."""
