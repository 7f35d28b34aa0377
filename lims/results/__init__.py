"""At the press: what is due, breaks and the results of sets, presses, scales and moulds, files of compression machines."""
