//! The `retract` binary.
fn main() {}
