//! Looks for an input that breaks `whisperer_egress::retry_after`, where the property is told.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| whisperer_egress::retry_after(input));
