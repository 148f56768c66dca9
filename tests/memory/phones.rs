//! Phones that wait, fetch what they are woken for, and wait again.

use activesync_phone::driver::{Driver, Waited};
use activesync_phone::{Phone, Profile};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::USERS;
use crate::gateway::{Gateway, PASSWORD};

pub(crate) struct Phones {
    lives: JoinSet<()>,
    count: usize,
    mail: mpsc::UnboundedReceiver<()>,
}

impl Phones {
    /// So many phones, set up and soon waiting.
    pub(crate) async fn muster(
        gateway: &Gateway,
        profile: &Profile,
        count: usize,
        name: &str,
    ) -> Phones {
        let (tell, mail) = mpsc::unbounded_channel();
        let mut lives = JoinSet::new();
        for number in 0..count {
            let user = format!("u{}", number % USERS);
            let phone = Phone::new(profile.clone(), &user, PASSWORD, &format!("{name}{number}"));
            let mut driver = Driver::new(phone, gateway.line.clone());
            driver.set_up().await.unwrap();
            driver.catch_up(INBOX).await.unwrap();
            lives.spawn(live(driver, tell.clone()));
        }
        Phones { lives, count, mail }
    }

    pub(crate) async fn until_all_have_mail(&mut self) {
        for _ in 0..self.count {
            self.mail.recv().await.unwrap();
        }
    }

    /// Hangs up.
    pub(crate) async fn go(mut self) {
        self.lives.shutdown().await;
    }
}

async fn live(mut driver: Driver, tell: mpsc::UnboundedSender<()>) {
    let mut has_mail = false;
    while let Ok(waited) = driver.wait(&[INBOX], HEARTBEAT_S).await {
        if waited != Waited::Quiet {
            driver.catch_up(INBOX).await.unwrap();
        }
        if !has_mail && driver.phone.cache.items().next().is_some() {
            has_mail = true;
            let _ = tell.send(());
        }
    }
}

/// The Inbox of every mailbox.
const INBOX: &str = "1";
/// Longer than the test takes.
const HEARTBEAT_S: u32 = 3_000;
