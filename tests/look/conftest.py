"""The browser and server of the stories."""

from tests.stories.conftest import chromium, demo_server, playwright_here

__all__ = ["chromium", "demo_server", "playwright_here"]
