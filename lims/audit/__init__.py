"""For auditors: the record of changes read, verified and exported, the trace, samples, findings, the self-test."""
