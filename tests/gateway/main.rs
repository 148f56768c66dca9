//! The whole gateway: stories over real sockets, and a simulation of all of it from a seed.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

pub(crate) mod disk;
pub(crate) mod house;
pub(crate) mod random;
pub(crate) mod simulation;
