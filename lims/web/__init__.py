"""The skin (templates, menu, language, offline) and the pages that look at several subjects."""
