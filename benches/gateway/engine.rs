//! Ledgered Syncs without a socket: open, plan, commit, as `sync::Engine` does them.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use retract::clock::Clock;
use retract::database::Tx;
use retract::directory::NewUser;
use retract::ids::CollectionNumber;
use retract::ledger::{Claim, Device, Exposure, device};
use retract::mailbox::{Arrival, Folder, Mailbox as _};
use retract::recall::gate::Content;
use retract::secret::Secret;
use retract::server::House;
use retract::sync::{Committed, Engine, Opened};

use crate::child::{config, opening};
use crate::line::say;
use crate::mails::{PASSWORD, mail};

/// Syncs that each bring one mail, every commit durable.
pub(crate) async fn syncs(devices: usize, each: usize) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("retract-bench").tempdir_in(".")?;
    let house = House::open(&config(dir.path()), &Clock::system(), opening())?;
    let mut places = Vec::new();
    for number in 0..devices {
        places.push(settle(&house, number, each).await?);
    }
    let began = Instant::now();
    let tasks: Vec<_> = places
        .into_iter()
        .map(|(device, folder)| tokio::spawn(calls(house.engine.clone(), device, folder, each)))
        .collect();
    for task in tasks {
        task.await??;
    }
    let all = (devices * each) as f64;
    say(&format!(
        "ledgered Syncs in process: {:.0}/s ({devices} devices x {each}, one Add each, synchronous=FULL)",
        all / began.elapsed().as_secs_f64()
    ));
    house.database.stop();
    Ok(())
}

/// A user with mail, and a device of theirs.
async fn settle(house: &House, number: usize, mails: usize) -> Result<(Arc<Device>, Folder)> {
    let user = NewUser {
        name: format!("u{number}"),
        address: format!("u{number}@example.org"),
        password: Secret::new(PASSWORD.to_owned()),
        ..NewUser::default()
    };
    let user = house.directory.add_user(user).await?;
    let mailbox = house.store.mailbox_of(user).await?;
    let folder = house.store.folder(mailbox, CollectionNumber(1)).await?;
    let now = house.clock.now();
    let arrival = Arrival {
        received: now,
        read: false,
        flag: None,
        categories: Vec::new(),
        draft: false,
        once: None,
    };
    let appends = (0..mails).map(|n| {
        let raw = Bytes::from(mail(&format!("mail-{number}-{n}"), 1_500));
        house.store.append(folder.id, raw, arrival.clone())
    });
    futures_util::future::try_join_all(appends).await?;
    let meet = move |tx: &Tx<'_>| {
        let introduction = device::Introduction {
            user,
            mailbox,
            wire_id: "ENGINE",
            device_type: "Bench",
            user_agent: "bench",
            version: "16.1",
        };
        device::meet(tx, &introduction, now)
    };
    let met = house.database.write(meet).await?;
    Ok((Arc::new(met.context("too many devices")?), folder))
}

async fn calls(engine: Engine, device: Arc<Device>, folder: Folder, each: usize) -> Result<()> {
    let mut claim = Claim::First;
    for n in 0..=each {
        let Opened::Turn(mut turn) = engine.open(&device, &folder, claim).await? else {
            bail!("our own key is not known");
        };
        engine.plan(&mut turn, 1).await?;
        ensure!(n == 0 || turn.plan().adds.len() == 1, "one Add, not {}", turn.plan().adds.len());
        claim = Claim::Key(turn.next_key(&engine)?);
        let contents = turn.plan().adds.iter().map(|item| Content {
            mailbox: folder.mailbox,
            folder: folder.id,
            item: item.item,
            identity: item.identity,
            exposure: Exposure::HEADER,
        });
        let contents = contents.collect();
        let bytes = Bytes::from_static(b"an answer");
        match engine.commit(&[*turn], "Sync", n as u64, bytes, contents).await? {
            Committed::Released(_) => {}
            Committed::Again => bail!("nobody else writes here"),
        }
    }
    Ok(())
}
