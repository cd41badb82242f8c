//! whisperer-sdk.
