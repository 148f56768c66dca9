//! Mail that is held for review: what runs against an order, and what an operator decides about it.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as From};
use axum::{Extension, Json};
use http::StatusCode;
use serde::Serialize;

use super::State;
use super::caller::Caller;
use super::problem::Problem;
use crate::delivery::{HeldMail, OutboxId};

#[derive(Serialize)]
pub(super) struct All {
    held: Vec<HeldMail>,
}

/// `GET /api/v1/held`
pub(super) async fn list(From(state): From<State>) -> Result<Json<All>, Problem> {
    Ok(Json(All { held: state.outbox.held().await? }))
}

/// `POST /api/v1/held/{id}/release`: it leaves.
pub(super) async fn release(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id?;
    decided(state.outbox.release(OutboxId(id), &caller.name()).await?)
}

/// `POST /api/v1/held/{id}/refuse`: it comes back to its sender.
pub(super) async fn refuse(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id?;
    decided(state.outbox.refuse(OutboxId(id), &caller.name()).await?)
}

fn decided(was_held: bool) -> Result<StatusCode, Problem> {
    match was_held {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("no mail of that number is held")),
    }
}
