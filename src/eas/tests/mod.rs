//! The commands, told as what a phone sends and sees.

mod folders;
mod house;
mod mail;
mod ping;
mod session;
mod sync;
mod uploads;
