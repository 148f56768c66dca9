//! Retract: an Exchange ActiveSync gateway that takes mail back from phones.
//!
//! The rooms, from the ground up; each uses any room below it, siblings stay strangers:
//! [`ids`], [`clock`], [`secret`], [`message`], [`directory`], [`mailbox`], [`delivery`], [`eas`].

pub mod admin;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod database;
pub mod delivery;
pub mod directory;
pub mod eas;
pub mod failpoint;
pub mod ids;
pub mod keyring;
pub mod ledger;
pub mod mailbox;
pub mod message;
pub mod policy;
pub mod push;
pub mod recall;
pub mod secret;
pub mod server;
pub mod sync;
