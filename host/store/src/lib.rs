//! whisperer-store.
