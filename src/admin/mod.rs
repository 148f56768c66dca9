//! How operators talk to us: one router for three roads.
//!
//! ```text
//! browser, program ─► TCP, loopback ─► token or session ─┐
//! retract .. ─► Unix socket, mode 0600 ─► Local ─────────┼─► router ─► recall, directory, policy, audit
//! retract .. (no server runs) ─► in-process ─► Local ────┘
//! ```
//!
//! - Whoever asks is known before anything is looked up; only `/healthz`, `/readyz`, `/metrics`, the sign-in and the style are open.
//! - Every refusal is a problem document (RFC 9457) with a code of ours.
//! - What is shown of a message or a device was written by strangers: it reaches a page only through the templates, which escape it,
//!   and the pages forbid scripts that are not ours.

mod caller;
mod devices;
mod directory;
mod evidence;
mod health;
mod held;
mod listen;
mod orders;
mod pages;
mod policies;
mod problem;
mod tables;
mod tokens;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post, put};

pub use caller::{Local, Role};
pub use listen::{bind_socket, here, serve, serve_socket};
pub(crate) use orders::NewOrder;
pub use problem::Problem;
pub use tokens::{TokenView, sign_in_link};

use crate::clock::Clock;
use crate::database::{Bodies, Database};
use crate::delivery::Outbox;
use crate::directory::Directory;
use crate::ids::UserId;
use crate::mailbox::Mailbox;
use crate::policy::Policies;
use crate::push::Bells;
use crate::recall::Recall;

/// The rooms an operator reaches through us. Cheap to clone.
#[derive(Clone)]
pub struct State {
    /// The state.
    pub database: Database,
    /// The bodies beside it, for backups.
    pub bodies: Bodies,
    /// The time.
    pub clock: Clock,
    /// Takes messages back.
    pub recall: Recall,
    /// Knows the users.
    pub directory: Directory,
    /// Where mail lives: a new user gets a mailbox at once.
    pub store: Arc<dyn Mailbox>,
    /// Who waits, for the metrics.
    pub bells: Bells,
    /// What devices must obey; carries out what is ordered of them.
    pub policies: Policies,
    /// Mail on its way out, some of it held for review.
    pub outbox: Outbox,
    /// Where browsers reach the pages, such as `http://127.0.0.1:8025`.
    pub base_url: String,
}

impl State {
    /// Makes a new user's mailbox with its standard folders.
    async fn prepare_mailbox(&self, user: UserId) -> Result<(), Problem> {
        self.store.mailbox_of(user).await?;
        Ok(())
    }
}

/// Everything an operator can ask, for all three roads.
pub fn router(state: State) -> Router {
    let known = operating()
        .merge(administering().route_layer(from_fn(caller::administrators)))
        .route_layer(from_fn_with_state(state.clone(), caller::authenticate));
    Router::new()
        .merge(known)
        .merge(open())
        .fallback(pages::nothing_here)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(pages::harden))
        .with_state(state)
}

/// For viewers, and for operators where something changes.
fn operating() -> Router<State> {
    Router::new()
        .route("/", get(pages::home))
        .route("/orders/{id}", get(pages::order))
        .route("/orders/{id}/report", get(pages::report))
        .route("/sign-out", post(pages::sign_out))
        .route("/api/v1/orders", get(orders::list).post(orders::create))
        .route("/api/v1/orders/{id}", get(orders::show))
        .route("/api/v1/orders/{id}/coverage", get(orders::coverage))
        .route("/api/v1/orders/{id}/events", get(orders::events))
        .route("/api/v1/orders/{id}/cancel", post(orders::cancel))
        .route("/api/v1/held", get(held::list))
        .route("/api/v1/held/{id}/release", post(held::release))
        .route("/api/v1/held/{id}/refuse", post(held::refuse))
        .route("/api/v1/devices", get(devices::list))
        .route("/api/v1/devices/{id}", get(devices::show))
        .route("/api/v1/devices/{id}/wipe", post(devices::wipe).delete(devices::clear_wipe))
        .route("/api/v1/devices/{id}/resync", post(devices::resync))
        .route("/api/v1/devices/{id}/block", post(devices::block))
        .route("/api/v1/devices/{id}/allow", post(devices::allow))
        .route("/api/v1/devices/{id}/quarantine", post(devices::quarantine))
        .route("/api/v1/audit", get(evidence::entries))
        .route("/api/v1/audit/verify", get(evidence::verify))
}

/// For administrators.
fn administering() -> Router<State> {
    Router::new()
        .route("/api/v1/directory", get(directory::show))
        .route("/api/v1/directory/check", post(directory::check))
        .route("/api/v1/directory/sync", post(directory::sync))
        .route("/api/v1/groups", get(directory::groups))
        .route("/api/v1/groups/{name}", get(directory::group))
        .route("/api/v1/users", get(users::list).post(users::create))
        .route("/api/v1/users/{name}", get(users::show))
        .route("/api/v1/users/{name}/password", post(users::set_password))
        .route("/api/v1/users/{name}/disable", post(users::disable))
        .route("/api/v1/users/{name}/enable", post(users::enable))
        .route("/api/v1/users/{name}/back", post(users::end_absence))
        .route("/api/v1/users/{name}/policy", post(users::set_policy))
        .route("/api/v1/policies", get(policies::list))
        .route("/api/v1/policies/{name}", put(policies::put).delete(policies::remove))
        .route("/api/v1/policy-rules", get(policies::rule_book).put(policies::put_rule_book))
        .route("/api/v1/default-access", put(policies::set_default_access))
        .route("/api/v1/users/{name}/aliases", post(users::add_alias))
        .route("/api/v1/users/{name}/aliases/{address}", delete(users::remove_alias))
        .route("/api/v1/tokens", get(tokens::answer_list).post(tokens::answer_create))
        .route("/api/v1/tokens/{name}", delete(tokens::answer_revoke))
        .route("/api/v1/sign-in-links", post(tokens::answer_link))
        .route("/api/v1/backup", post(evidence::backup))
}

/// For everybody.
fn open() -> Router<State> {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/sign-in", get(pages::sign_in).post(pages::signed_in))
        .route("/assets/style.css", get(pages::style))
        .route("/assets/live.js", get(pages::script))
}

/// Octets of a request at most: the longest is an order with a hundred bodies named.
const BODY_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
