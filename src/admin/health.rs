//! For monitors: alive, ready, and a few figures in Prometheus' text format. Nothing here names a person.

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use super::State;
use super::problem::Problem;
use crate::audit;
use crate::database::Error;
use crate::recall::any_fence;

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database reads, and takes new work.
pub(super) async fn ready(From(state): From<State>) -> Result<&'static str, Problem> {
    state.database.read(|tx| audit::head(tx).map(drop)).await?;
    if state.database.is_full() {
        return Err(Error::Full.into());
    }
    Ok("ready\n")
}

/// `GET /metrics`
pub(super) async fn metrics(From(state): From<State>) -> Result<Response, Problem> {
    let read = state.database.read(|tx| Ok::<_, Error>((audit::head(tx)?.size, any_fence(tx)?)));
    let (entries, fences) = read.await?;
    let is_full = state.database.is_full();
    let mut text = String::new();
    let mut figure = |name: &str, kind: &str, help: &str, value: u64| {
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"));
    };
    let waiting = state.bells.waiting() as u64;
    figure("retract_waiting_devices", "gauge", "Requests of phones that wait for news.", waiting);
    figure("retract_audit_entries_total", "counter", "Entries of the audit.", entries);
    figure("retract_fences_standing", "gauge", "1 while any order is open.", u64::from(fences));
    let jobs = state.database.jobs();
    figure("retract_database_jobs_total", "counter", "Reads and writes of the database.", jobs);
    figure("retract_disk_full", "gauge", "1 while only recall may write.", u64::from(is_full));
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((StatusCode::OK, kind, text).into_response())
}
