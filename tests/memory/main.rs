//! What a waiting phone costs the gateway, in bytes asked of the allocator: kept from growing back.
//!
//! The gateway is in a process of its own, this program again, over an allocator that counts; the phones are here. Counted are the
//! bytes asked for and not given back, of everything but SQLite, whose caches are bounded by themselves: so the figure is the same
//! on every machine. docs/performance.md has what a process really occupies.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod gateway;
mod phones;

use std::alloc::System;

use activesync_phone::Profile;
use cap::Cap;

use self::gateway::{Gateway, SERVE};
use self::phones::Phones;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(SERVE) {
        return gateway::serve(&runtime, &arguments.next().unwrap());
    }
    for (profile, most) in [(Profile::ios(), PING_BYTES_MAX), (Profile::samsung(), SYNC_BYTES_MAX)]
    {
        runtime.block_on(a_wait_costs_little(&profile, most));
    }
}

/// First by itself, then after every phone has been woken by a mail, has fetched it and waits again.
async fn a_wait_costs_little(profile: &Profile, most: usize) {
    let mut gateway = Gateway::start();
    gateway.order("users");
    // What is made once, by whoever comes first, is no phone's cost.
    let warm = Phones::muster(&gateway, profile, WARM_UP, "WARM").await;
    gateway.until_waiting(WARM_UP, usize::MAX).await;
    warm.go().await;
    let empty = gateway.until_waiting(0, usize::MAX).await;
    let mut phones = Phones::muster(&gateway, profile, PHONES, "PHONE").await;
    let bound = empty + PHONES * most;
    let first = gateway.until_waiting(PHONES, bound).await;
    gateway.order("mail");
    phones.until_all_have_mail().await;
    let second = gateway.until_waiting(PHONES, bound).await;
    let each = |bytes: usize| bytes.saturating_sub(empty) / PHONES;
    println!(
        "waiting by {:?}: {} bytes each, {} after a wake round, {most} allowed",
        profile.push,
        each(first),
        each(second)
    );
    assert!(first <= bound && second <= bound, "a waiting phone costs too much");
}

/// Phones that wait while it is counted.
const PHONES: usize = 200;
/// Phones that come and go before.
const WARM_UP: usize = 20;
/// Mailboxes they share.
const USERS: usize = 20;
/// The most a hanging Ping may cost, in bytes.
const PING_BYTES_MAX: usize = 7_000;
/// The most a hanging Sync may cost, in bytes.
const SYNC_BYTES_MAX: usize = 9_000;
