//! The whisperer binary.
fn main() {}
