//! An administrator watches an order in a real browser: headless Chromium, driven over WebDriver.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use activesync_phone::Profile;
use fantoccini::{Client, ClientBuilder, Locator};
use retract::admin::{self, Role};
use retract::clock::Clock;
use serde_json::json;

use super::town::{PATIENCE, Town};

/// A chromedriver of the story's own; it ends with the story, and so does the browser.
struct Chrome {
    driver: Child,
    url: String,
}

impl Chrome {
    fn start() -> Chrome {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver is there: tests/run installs chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = |line: String| {
            let words = line.strip_suffix('.')?.rsplit_once("successfully on port ")?;
            words.1.parse::<u16>().ok()
        };
        let port = lines.by_ref().map_while(Result::ok).find_map(port).expect("it names its port");
        Chrome { driver, url: format!("http://127.0.0.1:{port}") }
    }

    async fn open(&self) -> Client {
        // Root may not have Chromium's sandbox, and CI is root.
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let wanted = json!({ "goog:chromeOptions": { "args": arguments } });
        let mut builder =
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(wanted.as_object().unwrap().clone());
        builder.connect(&self.url).await.expect("a browser")
    }
}

impl Drop for Chrome {
    fn drop(&mut self) {
        // Asked to end, it ends the browser as well; killed, it would leave it behind. It may be gone already.
        let driver = self.driver.id().to_string();
        let _asked = Command::new("kill").args(["-TERM", &driver]).status();
        let _gone = self.driver.wait();
    }
}

/// The text of the page's report once it contains this.
async fn until_it_says(page: &Client, words: &str) -> String {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let report = page.find(Locator::Id("report")).await.unwrap();
        // The report is exchanged under our hands: an element that has just gone is looked up again.
        let text = report.text().await.unwrap_or_default();
        if text.contains(words) {
            return text;
        }
        assert!(tokio::time::Instant::now() < end, "it never says {words:?}: {text}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_an_order_follows_the_phone_without_being_loaded_again() {
    let any = "127.0.0.1:0".parse().unwrap();
    let town = Town::with(Clock::system(), None, |config| config.admin.listen = Some(any)).await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let order = town.recall("secret").await;
    let base_url = town.server.base_url().unwrap();
    let state = town.server.house.admin(base_url.clone());
    let link = admin::sign_in_link(&state, "root", Role::Viewer).await.unwrap();

    let chrome = Chrome::start();
    let page = chrome.open().await;
    page.goto(link.reveal()).await.unwrap();
    let link = page.current_url().await.unwrap();
    page.find(Locator::Css("form button")).await.unwrap().click().await.unwrap();
    // The click returns before the browser is signed in.
    let end = tokio::time::Instant::now() + PATIENCE;
    while page.current_url().await.unwrap() == link {
        assert!(tokio::time::Instant::now() < end, "the browser is not signed in");
        tokio::task::yield_now().await;
    }
    page.goto(&format!("{base_url}/orders/{order}")).await.unwrap();
    until_it_says(&page, "queued").await;
    // A mark in the page's memory: gone if the page were loaded again.
    page.execute("window.mark = 'the same page'", Vec::new()).await.unwrap();
    phone.sync().await.expect("the Delete");
    until_it_says(&page, "sent").await;
    phone.sync().await;
    let report = until_it_says(&page, "acknowledged").await;
    assert!(report.contains("1 of 1") && report.contains("100.0 %"), "{report}");
    // Beside the acknowledgement stands what is known of the client, and above it whose message it was and when it came.
    for words in ["untested", "octets, from", "signed in by"] {
        assert!(report.contains(words), "{words}: {report}");
    }
    assert!(!report.contains("to nobody here so far"), "T0 is known: {report}");
    let mark = page.execute("return window.mark", Vec::new()).await.unwrap();
    assert_eq!(mark, json!("the same page"));
    page.close().await.unwrap();
}
