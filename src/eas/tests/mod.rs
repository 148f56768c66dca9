//! The commands, told as what a phone sends and sees.

mod house;
mod sync;
