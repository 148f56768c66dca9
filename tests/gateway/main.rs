//! The whole gateway: stories over real sockets, and a simulation of all of it from a seed.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod disk;
mod house;
mod random;
mod simulation;
