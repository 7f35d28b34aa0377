"""Setting up: the laboratory's facts and the guide that a new installation begins with."""
