//! A look at a payload's JSON without building it: depth and escapes, where `RawValue` is lax.
