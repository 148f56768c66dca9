//! Retract: an Exchange ActiveSync gateway that takes mail back from phones.
//!
//! The rooms, from the ground up; each uses any room below it, siblings stay strangers:
//! [`ids`], [`clock`], [`mailbox`].

pub mod clock;
pub mod database;
pub mod failpoint;
pub mod ids;
pub mod mailbox;
