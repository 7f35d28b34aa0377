"""Keeping a laboratory running: backups, moving, upgrades, start-up checks, health, metrics and logs."""
