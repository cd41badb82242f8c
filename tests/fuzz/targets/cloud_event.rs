//! Looks for an input that breaks `whisperer_properties::cloud_event`, where the property is told.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| whisperer_properties::cloud_event(input));
