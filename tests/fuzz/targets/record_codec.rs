//! Looks for an input that breaks `whisperer_store::record_codec`, where the property is told.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| whisperer_store::record_codec(input));
