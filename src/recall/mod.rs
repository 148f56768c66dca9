//! How a message is taken back.
mod facts;
mod reason;
pub mod retraction;
mod state;
pub mod tables;

pub(crate) fn changed() {}
