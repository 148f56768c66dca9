//! The whole gateway: stories over real sockets, and a simulation of all of it from a seed.

mod disk;
mod house;
mod random;
mod simulation;
