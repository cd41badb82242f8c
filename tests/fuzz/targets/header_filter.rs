//! Looks for an input that breaks `whisperer_properties::header_filter`, where the property is told.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| whisperer_properties::header_filter(input));
