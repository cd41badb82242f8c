//! Looks for an input that breaks `whisperer_properties::filter_expr`, where the property is told.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| whisperer_properties::filter_expr(input));
