//! Looks for an input that breaks `whisperer_properties::plugin_patch`, where the property is told.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| whisperer_properties::plugin_patch(input));
