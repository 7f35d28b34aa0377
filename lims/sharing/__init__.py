"""A trial for someone outside: share links, the sheet that they open, what its readers answer."""
