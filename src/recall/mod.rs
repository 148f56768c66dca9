//! How a message is taken back.
mod cover;
mod facts;
pub mod gate;
mod reason;
pub mod retraction;
mod state;
pub mod tables;

pub use cover::covers;
pub use tables::any_fence;

pub(crate) fn changed() {}
