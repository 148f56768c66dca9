//! Phones that wait: what they cost, and how soon a recall reaches them.

use std::time::{Duration, Instant};

use activesync_phone::Profile;
use activesync_phone::driver::{Driver, Waited};
use anyhow::{Context as _, Result, ensure};
use tokio::sync::mpsc;

use crate::child::{Gateway, now_ns};
use crate::fleet::{INBOX, muster, new_phone, sync};
use crate::line::{percentile_ms, say};

/// What a phone tells of itself.
enum Told {
    /// It has the mail of the wave, or has it no more, since then.
    Holds(bool, u128),
    /// Its Ping was answered.
    Answered(u128),
    /// Its line or an answer was not what it should be.
    Failed(String),
}

/// Memory of so many phones that wait in their profile's way, and a recall reaching all of them.
pub(crate) async fn all(count: usize, profile: &Profile) -> Result<()> {
    let mut gateway = Gateway::start()?;
    let users = count.div_ceil(PER_USER);
    gateway.order(&format!("users {users}"))?;
    let warm = muster(&gateway.tls, profile, WARM_UP.min(count), PER_USER, "WARM").await?;
    drop(warm);
    gateway.until_waiting(0).await?;
    let empty = gateway.pss()?;
    let began = Instant::now();
    let drivers = muster(&gateway.tls, profile, count, PER_USER, "BENCH").await?;
    let (tell, mut told) = mpsc::unbounded_channel();
    for driver in drivers {
        tokio::spawn(live(driver, tell.clone()));
    }
    gateway.until_waiting(count).await?;
    let set_up = began.elapsed();
    let first = gateway.pss()?;
    let began = now_ns();
    gateway.order(&format!("everyone {WAVE} {users}"))?;
    let arrival = until_all(&mut told, count, true, began).await?;
    gateway.until_waiting(count).await?;
    let second = gateway.pss()?;
    tokio::time::sleep(SETTLE).await;
    let settled = gateway.pss()?;
    let (before, cpu) = (now_ns(), gateway.cpu()?);
    let times = gateway.order(&format!("recall {WAVE}"))?;
    let (given, committed) = times.split_once(' ').context("two times")?;
    let (given, committed): (u128, u128) = (given.parse()?, committed.parse()?);
    ensure!(given >= before, "the clock went back");
    let mut reached = until_all(&mut told, count, false, committed).await?;
    let cpu = gateway.cpu()?.saturating_sub(cpu);
    gateway.until_waiting(count).await?;
    say(&format!(
        "{count} phones waiting by {:?} over TLS, {users} mailboxes, set up in {:.1} s:",
        profile.push,
        set_up.as_secs_f64()
    ));
    let per = |bytes: i64| bytes / i64::try_from(count).unwrap_or(1);
    let readings =
        [("first round", first), ("after a wake round", second), ("the same, settled", settled)];
    for (name, pss) in readings {
        say(&format!(
            "  PSS of the server, {name}: {} kB, of it before the phones {} kB: {} bytes each (anonymous memory alone {})",
            pss.0 / 1024,
            empty.0 / 1024,
            per(pss.0 - empty.0),
            per(pss.1 - empty.1)
        ));
    }
    say(&format!(
        "  a new mail for all, first append to the last phone having it: {:.2} s",
        arrival.last().copied().unwrap_or_default().as_secs_f64()
    ));
    say(&format!(
        "  recall: commit {:.1} ms after the order; from the commit the Delete is at the first phone after {:.1} ms, half {:.2} s, 99 % {:.2} s, all {:.2} s (server {:.2} s of CPU)",
        (committed - given) as f64 / 1e6,
        percentile_ms(&mut reached, 0.0),
        percentile_ms(&mut reached, 0.5) / 1e3,
        percentile_ms(&mut reached, 0.99) / 1e3,
        percentile_ms(&mut reached, 1.0) / 1e3,
        cpu.as_secs_f64()
    ));
    Ok(())
}

/// Waits until all phones say that they hold the mail, or hold it no more; gives when each did.
async fn until_all(
    told: &mut mpsc::UnboundedReceiver<Told>,
    count: usize,
    wanted: bool,
    since: u128,
) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(count);
    while times.len() < count {
        let next = tokio::time::timeout(PATIENCE, told.recv()).await;
        match next.with_context(|| format!("{} of {count} phones", times.len()))? {
            Some(Told::Holds(holds, at)) if holds == wanted => times.push(after(since, at)),
            Some(Told::Failed(why)) => anyhow::bail!("a phone: {why}"),
            Some(_) => {}
            None => anyhow::bail!("the phones are gone"),
        }
    }
    times.sort_unstable();
    Ok(times)
}

/// A phone's life: wait, sync, wait again.
async fn live(mut driver: Driver, tell: mpsc::UnboundedSender<Told>) {
    let mut holds = false;
    loop {
        if let Err(error) = round(&mut driver, &mut holds, &tell).await {
            // Nobody listens any more once the figure is printed.
            let _ = tell.send(Told::Failed(format!("{error:#}")));
            return;
        }
    }
}

async fn round(
    driver: &mut Driver,
    holds: &mut bool,
    tell: &mpsc::UnboundedSender<Told>,
) -> Result<()> {
    let waited = driver.wait(&[INBOX], HEARTBEAT_S).await?;
    let _ = tell.send(Told::Answered(now_ns()));
    look(driver, holds, tell);
    if waited == Waited::Quiet {
        return Ok(());
    }
    loop {
        let news = sync(driver).await?;
        look(driver, holds, tell);
        if !news {
            return Ok(());
        }
    }
}

/// Says when the mail has come or gone.
fn look(driver: &Driver, holds: &mut bool, tell: &mpsc::UnboundedSender<Told>) {
    let now = driver.phone.cache.items().next().is_some();
    if now != *holds {
        *holds = now;
        let _ = tell.send(Told::Holds(now, now_ns()));
    }
}

fn after(since: u128, at: u128) -> Duration {
    Duration::from_nanos(u64::try_from(at.saturating_sub(since)).unwrap_or(u64::MAX))
}

/// A recall reaching one phone that waits, over and over: by a hanging Sync, and by a Ping and the Sync that follows it.
pub(crate) async fn one(times: usize) -> Result<()> {
    for profile in [Profile::samsung(), Profile::ios()] {
        let mut gateway = Gateway::start()?;
        gateway.order("users 1")?;
        let name = profile.push;
        let driver = new_phone(&gateway.tls, profile, 0, "ONE").await?;
        let (tell, mut told) = mpsc::unbounded_channel();
        tokio::spawn(live(driver, tell));
        let (mut commits, mut answers, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..times {
            gateway.until_waiting(1).await?;
            gateway.order(&format!("same once-{n} 0 1"))?;
            until_all(&mut told, 1, true, 0).await?;
            gateway.until_waiting(1).await?;
            // What was told before is of the mail's coming.
            while told.try_recv().is_ok() {}
            let stamps = gateway.order(&format!("recall once-{n}"))?;
            let (given, committed) = stamps.split_once(' ').context("two times")?;
            let (given, committed): (u128, u128) = (given.parse()?, committed.parse()?);
            commits.push(after(given, committed));
            let (answered, gone) = reached(&mut told).await?;
            answers.push(after(committed, answered));
            deletes.push(after(committed, gone));
        }
        let line = |name: &str, samples: &mut Vec<Duration>| {
            format!(
                "{name} p50 {:.2} ms, p99 {:.2} ms",
                percentile_ms(samples, 0.5),
                percentile_ms(samples, 0.99)
            )
        };
        say(&format!(
            "recall, one phone waiting by {name:?} over TLS, {times} times: {}; from the commit: {}; {}",
            line("order to commit", &mut commits),
            line("the wait is answered", &mut answers),
            line("the Delete is there", &mut deletes)
        ));
    }
    Ok(())
}

/// When the wait was answered, and when the mail was gone.
async fn reached(told: &mut mpsc::UnboundedReceiver<Told>) -> Result<(u128, u128)> {
    let mut answered = None;
    loop {
        match tokio::time::timeout(PATIENCE, told.recv()).await?.context("the phone is gone")? {
            Told::Answered(at) => answered = answered.or(Some(at)),
            Told::Holds(false, at) => return Ok((answered.unwrap_or(at), at)),
            Told::Holds(true, _) => {}
            Told::Failed(why) => anyhow::bail!("the phone: {why}"),
        }
    }
}

/// Devices of one user.
const PER_USER: usize = 10;
/// Phones that come and go before anything is measured.
const WARM_UP: usize = 50;
/// The mail that everybody gets and that is recalled.
const WAVE: &str = "wave";
/// Seconds a phone waits at a time: longer than any figure takes.
const HEARTBEAT_S: u32 = 3_000;
/// What the allocator gives back by itself is given back after this.
const SETTLE: Duration = Duration::from_secs(3);
/// How long the next phone may take.
const PATIENCE: Duration = Duration::from_secs(120);
