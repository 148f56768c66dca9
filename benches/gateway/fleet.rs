//! Many phones at once, each with its own connection; and how many ledgered Syncs a second they are served.

use std::sync::Arc;
use std::time::Instant;

use activesync_phone::client::Server as Line;
use activesync_phone::driver::Driver;
use activesync_phone::{Outcome, Phone, Profile, SyncAsk, Waits};
use anyhow::{Context as _, Result, anyhow, ensure};
use tokio::sync::Semaphore;

use crate::child::Gateway;
use crate::line::say;
use crate::mails::PASSWORD;

/// A phone that has its folders and holds a key of the Inbox, but no mail yet.
pub(crate) async fn new_phone(
    line: &Line,
    profile: Profile,
    user: usize,
    id: &str,
) -> Result<Driver> {
    let mut driver =
        Driver::new(Phone::new(profile, &format!("u{user}"), PASSWORD, id), line.clone());
    driver.set_up().await?;
    ensure!(driver.inbox() == INBOX, "the Inbox is {}", driver.inbox());
    sync(&mut driver).await?;
    Ok(driver)
}

/// One Sync of the Inbox; whether it said anything, or there is more.
pub(crate) async fn sync(driver: &mut Driver) -> Result<bool> {
    let asks = [SyncAsk::of(INBOX)];
    match driver.ask_provisioned(|phone| phone.sync(&asks, Waits::No)).await? {
        Outcome::Sync(None) => Ok(false),
        Outcome::Sync(Some(response)) => {
            let collection = response.collections.first().context("no collection")?;
            ensure!(collection.status.0 == 1, "Status {}", collection.status.0);
            Ok(collection.more_available || !collection.commands.is_empty())
        }
        other => Err(anyhow!("no answer to a Sync: {other:?}")),
    }
}

/// Sets phones up, some at a time: phone n is of user n / `per_user`.
pub(crate) async fn muster(
    line: &Line,
    profile: &Profile,
    count: usize,
    per_user: usize,
    name: &str,
) -> Result<Vec<Driver>> {
    let turns = Arc::new(Semaphore::new(SET_UPS_AT_ONCE));
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let (line, profile, turns) = (line.clone(), profile.clone(), Arc::clone(&turns));
            let id = format!("{name}{number}");
            tokio::spawn(async move {
                let _turn = turns.acquire().await?;
                new_phone(&line, profile, number / per_user, &id).await
            })
        })
        .collect();
    let mut drivers = Vec::with_capacity(count);
    for task in tasks {
        drivers.push(task.await??);
    }
    Ok(drivers)
}

/// Syncs over plain HTTP, each of which brings one mail: sign-in, WBXML, the body's file and its shaping included.
pub(crate) async fn syncs(phones: usize, each: usize) -> Result<()> {
    let mut gateway = Gateway::start()?;
    gateway.order(&format!("users {phones}"))?;
    for user in 0..phones {
        gateway.order(&format!("mails {user} {each} 1500"))?;
    }
    let profile = Profile { window_size: 1, ..Profile::ios() };
    let drivers = muster(&gateway.plain, &profile, phones, 1, "SYNC").await?;
    let (began, cpu) = (Instant::now(), gateway.cpu()?);
    let tasks: Vec<_> = drivers
        .into_iter()
        .map(|mut driver| {
            tokio::spawn(async move {
                for _ in 0..each {
                    ensure!(sync(&mut driver).await?, "a Sync without news");
                }
                ensure!(driver.phone.cache.items().count() == each, "mail is missing");
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let (took, cpu) = (began.elapsed().as_secs_f64(), gateway.cpu()?.saturating_sub(cpu));
    let all = (phones * each) as f64;
    say(&format!(
        "ledgered Syncs over plain HTTP: {:.0}/s ({phones} phones x {each}, one Add each; server {:.0} us of CPU a Sync)",
        all / took,
        cpu.as_secs_f64() * 1e6 / all
    ));
    Ok(())
}

/// The Inbox as phones name it.
pub(crate) const INBOX: &str = "1";
/// Phones being set up at a time.
const SET_UPS_AT_ONCE: usize = 64;
