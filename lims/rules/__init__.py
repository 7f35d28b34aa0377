"""The register of rules as pages: calculators, sign-offs, own editions; the rules themselves are lims/standards."""
