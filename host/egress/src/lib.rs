//! whisperer-egress.
