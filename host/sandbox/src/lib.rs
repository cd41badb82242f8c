//! whisperer-sandbox.
