//! The audit and the backup over the API.

use std::path::PathBuf;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State as From};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::State;
use super::caller::Caller;
use super::problem::Problem;
use crate::audit::{self, Entry, Event, Head, Value};
use crate::clock::Timestamp;
use crate::database::{self, Error, hex};
use crate::ids::OrderId;

/// Entries of one page when none are asked for.
const PAGE_ENTRIES: usize = 100;

/// An audit entry as the API shows one.
#[derive(Serialize)]
pub(super) struct EntryView {
    number: u64,
    at: Timestamp,
    kind: String,
    fields: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
pub(super) struct Entries {
    entries: Vec<EntryView>,
    size: u64,
    root: String,
}

/// What a verification found.
#[derive(Serialize)]
pub(super) struct Verified {
    ok: bool,
    size: u64,
    root: String,
    first_bad: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    before: Option<u64>,
    limit: Option<usize>,
    order: Option<OrderId>,
}

/// A head that was kept elsewhere.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownHead {
    size: Option<u64>,
    root: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupBody {
    to: PathBuf,
}

/// A backup that was taken.
#[derive(Serialize)]
pub(super) struct BackupView {
    to: PathBuf,
    taken_at: Timestamp,
    epoch: i64,
    bodies: usize,
    database_sha256: String,
}

/// `GET /api/v1/audit`: newest first.
pub(super) async fn entries(
    From(state): From<State>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Entries>, Problem> {
    let Query(page) = page?;
    let limit = page.limit.unwrap_or(PAGE_ENTRIES);
    let found = state.database.read(move |tx| {
        let head = audit::head(tx)?;
        Ok::<_, Error>((audit::newest(tx, page.before, limit, page.order)?, head))
    });
    let (entries, head) = found.await?;
    let entries = entries.into_iter().map(view).collect();
    Ok(Json(Entries { entries, size: head.size, root: root(head) }))
}

/// `GET /api/v1/audit/verify`: everything computed again from the stored bytes.
pub(super) async fn verify(
    From(state): From<State>,
    known: Result<Query<KnownHead>, QueryRejection>,
) -> Result<Json<Verified>, Problem> {
    let Query(known) = known?;
    let known = match (known.size, known.root) {
        (Some(size), Some(root)) => {
            let hash = database::BodyHash::parse(&root)
                .ok_or_else(|| Problem::bad_request("root is 64 hexadecimal digits"))?;
            Some(Head { size, root: audit::TreeHash(hash.0) })
        }
        (None, None) => None,
        _ => return Err(Problem::bad_request("size and root go together")),
    };
    let verified = state.database.read(move |tx| match known {
        Some(known) => audit::verify_against(tx, known),
        None => audit::verify(tx),
    });
    let report = verified.await?;
    Ok(Json(Verified {
        ok: report.first_bad.is_none(),
        size: report.head.size,
        root: root(report.head),
        first_bad: report.first_bad.map(|bad| bad.to_string()),
    }))
}

/// `POST /api/v1/backup`: into a directory of this machine, which only its own shell may name.
pub(super) async fn backup(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<BackupBody>, JsonRejection>,
) -> Result<Json<BackupView>, Problem> {
    let Json(BackupBody { to }) = body?;
    if !caller.is_local {
        return Err(Problem::forbidden("a backup is taken from the machine's own shell"));
    }
    if !to.is_absolute() {
        return Err(Problem::bad_request("name the directory by its whole path"));
    }
    let (database, bodies) = (state.database.clone(), state.bodies.clone());
    let (now, target) = (state.clock.now(), to.clone());
    let taken =
        tokio::task::spawn_blocking(move || database::backup(&database, &bodies, &target, now));
    let manifest = taken.await.map_err(|error| Problem::ours(error.to_string()))??;
    let by = caller.name();
    let note = state
        .database
        .write(move |tx| audit::note(tx, now, &Event::new("backup.taken").personal("by", &by)));
    note.await.map_err(|error: Error| Problem::from(error))?;
    Ok(Json(BackupView {
        to,
        taken_at: manifest.taken_at,
        epoch: manifest.epoch,
        bodies: manifest.bodies.len(),
        database_sha256: manifest.database.to_string(),
    }))
}

fn root(head: Head) -> String {
    hex(&head.root.0)
}

/// Fields by name; a personal one shows its words, or its commitment where they have been erased.
fn view(entry: Entry) -> EntryView {
    let value = |field: audit::Field| {
        let value = match (field.value, field.clear) {
            (Value::Number(number), _) => number.into(),
            (Value::Text(text), _) | (Value::Personal(_), Some(text)) => text.into(),
            (Value::Personal(commitment), None) => format!("erased:{}", hex(&commitment)).into(),
        };
        (field.name, value)
    };
    let fields = entry.fields.into_iter().map(value).collect();
    EntryView { number: entry.number, at: entry.at, kind: entry.kind, fields }
}
