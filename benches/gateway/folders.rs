//! Folders small and large: a Sync with nothing new, what the ledger keeps of a message, and a first sync.

use std::time::{Duration, Instant};

use activesync_phone::Profile;
use activesync_phone::driver::Driver;
use anyhow::{Context as _, Result, ensure};

use crate::child::Gateway;
use crate::fleet::{new_phone, sync};
use crate::line::{percentile_ms, say};

/// Takes in everything there is; gives how many Syncs it took.
async fn catch_up(driver: &mut Driver, count: usize) -> Result<usize> {
    let mut rounds = 1;
    while sync(driver).await? {
        rounds += 1;
    }
    let has = driver.phone.cache.items().count();
    ensure!(has == count, "the phone has {has} of {count} mails");
    Ok(rounds)
}

/// The phone of these figures: the widest window, 500 octets of each body.
fn reader() -> Profile {
    Profile { window_size: 512, ..Profile::ios() }
}

/// A Sync with nothing new at a small and at a large folder, turn by turn.
pub(crate) async fn quiet(small: usize, large: usize, times: usize) -> Result<()> {
    let mut gateway = Gateway::start()?;
    gateway.order("users 2")?;
    let mut phones = Vec::new();
    for (user, count) in [small, large].into_iter().enumerate() {
        gateway.order(&format!("same lots {user} {count}"))?;
        let mut driver = new_phone(&gateway.plain, reader(), user, &format!("QUIET{user}")).await?;
        let began = Instant::now();
        catch_up(&mut driver, count).await?;
        say(&format!(
            "  {count} messages (one body) synced in {:.1} s",
            began.elapsed().as_secs_f64()
        ));
        phones.push(driver);
    }
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..times {
        for (driver, samples) in phones.iter_mut().zip(&mut samples) {
            let began = Instant::now();
            ensure!(!sync(driver).await?, "there is nothing new");
            samples.push(began.elapsed());
        }
    }
    let [of_small, of_large] = &mut samples;
    let (a, b) = (percentile_ms(of_small, 0.5), percentile_ms(of_large, 0.5));
    say(&format!(
        "Sync with nothing new, plain HTTP, {times} each, turn by turn: {small} messages p50 {a:.3} ms, p99 {:.3} ms; {large} messages p50 {b:.3} ms, p99 {:.3} ms; ratio of p50 {:.2}",
        percentile_ms(of_small, 0.99),
        percentile_ms(of_large, 0.99),
        b / a
    ));
    Ok(())
}

/// What the ledger keeps of messages that one phone holds.
pub(crate) async fn rest(count: usize) -> Result<()> {
    let mut gateway = Gateway::start()?;
    gateway.order("users 1")?;
    gateway.order(&format!("same lots 0 {count}"))?;
    let mut driver = new_phone(&gateway.plain, reader(), 0, "REST").await?;
    catch_up(&mut driver, count).await?;
    gateway.stop()?;
    let state = rusqlite::Connection::open(gateway.dir.path().join("retract.db"))?;
    let pages = |table: &str| -> Result<f64> {
        let sql = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN \
                   (SELECT name FROM sqlite_schema WHERE tbl_name = ?1)";
        let octets: i64 = state.query_row(sql, [table], |row| row.get(0))?;
        Ok(octets as f64 / count as f64)
    };
    let rows = |table: &str| -> Result<(i64, i64)> {
        let columns = columns(&state, table)?;
        let length = columns
            .iter()
            .map(|column| format!("coalesce(length(CAST({column} AS BLOB)), 0)"))
            .collect::<Vec<_>>()
            .join(" + ");
        let sql = format!("SELECT count(*), coalesce(sum({length}), 0) FROM {table}");
        Ok(state.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
    };
    say(&format!(
        "bytes per held message at rest, {count} messages, one phone (pages of table and indexes; values in brackets):"
    ));
    let mut held = (0.0, 0.0);
    for table in TABLES {
        let (pages, (lines, octets)) = (pages(table)?, rows(table)?);
        let values = octets as f64 / count as f64;
        say(&format!("  {table:<12} {pages:>8.2} ({values:.2}, {lines} rows)"));
        if HELD.contains(&table) {
            held = (held.0 + pages, held.1 + values);
        }
    }
    say(&format!("  bitmaps and keys ({}): {:.2} ({:.2})", HELD.join(", "), held.0, held.1));
    Ok(())
}

fn columns(state: &rusqlite::Connection, table: &str) -> Result<Vec<String>> {
    let mut statement = state.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// A first sync of so many mails of 19 kB, beside reading the same bodies bare.
pub(crate) async fn first(count: usize) -> Result<()> {
    let mut gateway = Gateway::start()?;
    gateway.order("users 1")?;
    let began = Instant::now();
    gateway.order(&format!("mails 0 {count} {MAIL_OCTETS}"))?;
    let filled = began.elapsed();
    let bare = gateway.order("bare 0")?;
    let (octets, micros) = bare.split_once(' ').context("two numbers")?;
    let (octets, bare): (u64, u64) = (octets.parse()?, micros.parse()?);
    let bare = Duration::from_micros(bare).as_secs_f64();
    let mut driver = new_phone(&gateway.plain, reader(), 0, "FIRST").await?;
    let (began, cpu) = (Instant::now(), gateway.cpu()?);
    let rounds = catch_up(&mut driver, count).await?;
    let (took, cpu) = (began.elapsed().as_secs_f64(), gateway.cpu()?.saturating_sub(cpu));
    say(&format!(
        "first sync of {count} messages, {:.1} MB, in {rounds} Syncs over plain HTTP, bodies cut to 500 octets: {:.0} messages/s ({took:.2} s, server {:.2} s of CPU); the same bodies read bare and hashed, one after the other: {:.0}/s; appended before at {:.0}/s",
        octets as f64 / 1e6,
        count as f64 / took,
        cpu.as_secs_f64(),
        count as f64 / bare,
        count as f64 / filled.as_secs_f64()
    ));
    Ok(())
}

/// Octets of a mail: 5,000 of them are 95 MB.
const MAIL_OCTETS: usize = 19_000;
/// What is looked at.
const TABLES: [&str; 6] = ["holdings", "collections", "answers", "journal", "copies", "messages"];
/// What is needed to know what a device holds.
const HELD: [&str; 3] = ["holdings", "collections", "answers"];
