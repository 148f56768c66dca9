//! Orders over the API: dry run, order, list, report, live events, cancellation.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as From};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::Stream;
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::State;
use super::caller::{Caller, second_person};
use super::problem::Problem;
use crate::ids::OrderId;
use crate::recall::{Coverage, OrderRequest, OrderView};

/// Orders of one page when none are asked for.
const PAGE_ORDERS: usize = 100;
/// The longest a request for a report waits.
const WAIT_MAX: Duration = Duration::from_mins(5);
/// The least time between two events of a live report: a page is no faster to read than this.
const EVENT_PAUSE: Duration = Duration::from_millis(250);
/// Says that the connection lives, to both ends.
const EVENT_KEEP_ALIVE: Duration = Duration::from_secs(20);
/// The header of RFC draft httpapi-idempotency-key.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What is posted to order a recall.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    pub(crate) message_id: String,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bodies: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) include_sender: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stands_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirm_count: Option<u64>,
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// Where a page of a list begins, and how long it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    before: Option<OrderId>,
    limit: Option<usize>,
}

/// How long to wait for a report that is settled.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patience {
    wait_s: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Orders {
    orders: Vec<OrderView>,
}

/// `POST /api/v1/orders`
pub(super) async fn create(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Json<NewOrder>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(new) = body?;
    let key = match headers.get(IDEMPOTENCY_KEY) {
        Some(key) => Some(text(key)?),
        None => None,
    };
    let dry_run = new.dry_run;
    let mut request = request(new);
    if dry_run {
        // A look needs no reason; the room below wants one of every request.
        if request.reason.trim().is_empty() {
            "dry run".clone_into(&mut request.reason);
        }
        let run = state.recall.dry_run(request, caller.actor).await?;
        return Ok(Json(run).into_response());
    }
    request.second = second_person(&state, &headers).await?;
    let id = state.recall.order(request, caller.actor, key).await?;
    let order = state.recall.show(id).await?;
    let place = format!("/api/v1/orders/{id}");
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(order)).into_response())
}

/// `GET /api/v1/orders`
pub(super) async fn list(
    From(state): From<State>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Orders>, Problem> {
    let Query(page) = page?;
    let orders = state.recall.orders(page.before, page.limit.unwrap_or(PAGE_ORDERS)).await?;
    Ok(Json(Orders { orders }))
}

/// `GET /api/v1/orders/{id}`
pub(super) async fn show(
    From(state): From<State>,
    id: Result<Path<OrderId>, PathRejection>,
) -> Result<Json<OrderView>, Problem> {
    let Path(id) = id?;
    Ok(Json(state.recall.show(id).await?))
}

/// `GET /api/v1/orders/{id}/coverage`
pub(super) async fn coverage(
    From(state): From<State>,
    id: Result<Path<OrderId>, PathRejection>,
    patience: Result<Query<Patience>, QueryRejection>,
) -> Result<Json<Coverage>, Problem> {
    let (Path(id), Query(patience)) = (id?, patience?);
    let Some(seconds) = patience.wait_s else {
        return Ok(Json(state.recall.coverage(id).await?));
    };
    let patience = Duration::from_secs(seconds).min(WAIT_MAX);
    Ok(Json(state.recall.wait_settled(id, patience).await?))
}

/// `GET /api/v1/orders/{id}/events`: the report whenever it has changed, as server-sent events.
pub(super) async fn events(
    From(state): From<State>,
    id: Result<Path<OrderId>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id?;
    state.recall.show(id).await?;
    let keep_alive = sse::KeepAlive::new().interval(EVENT_KEEP_ALIVE);
    Ok(Sse::new(reports(state, id)).keep_alive(keep_alive).into_response())
}

/// `POST /api/v1/orders/{id}/cancel`
pub(super) async fn cancel(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<OrderId>, PathRejection>,
) -> Result<Json<OrderView>, Problem> {
    let Path(id) = id?;
    state.recall.cancel(id, caller.actor).await?;
    Ok(Json(state.recall.show(id).await?))
}

/// The report now, and again each time it differs from the one before; ends when it cannot be made any more.
fn reports(state: State, id: OrderId) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let changes = state.recall.changes();
    futures_util::stream::unfold(
        (state, changes, None),
        move |(state, mut changes, mut last)| async move {
            loop {
                if last.is_some() {
                    changes.changed().await.ok()?;
                    tokio::time::sleep(EVENT_PAUSE).await;
                }
                changes.mark_unchanged();
                let report = state.recall.coverage(id).await.ok()?;
                if last.as_ref() == Some(&report) {
                    continue;
                }
                let event = sse::Event::default().event("coverage").json_data(&report).ok()?;
                last = Some(report);
                return Some((Ok(event), (state, changes, last)));
            }
        },
    )
}

fn request(new: NewOrder) -> OrderRequest {
    OrderRequest {
        message_id: new.message_id,
        reason: new.reason,
        from: new.from,
        bodies: new.bodies,
        include_sender: new.include_sender,
        stands_days: new.stands_days,
        confirm_count: new.confirm_count,
        second: None,
    }
}

fn text(value: &http::HeaderValue) -> Result<String, Problem> {
    let text = value.to_str().map_err(|_| Problem::bad_request("a header is not plain text"))?;
    Ok(text.to_owned())
}
