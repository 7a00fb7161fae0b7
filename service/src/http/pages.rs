//! What is answered at which path.

use std::sync::Arc;
use std::time::Instant;

use crate::stages::Stall;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::health::Health;

/// Renders every metric in the Prometheus text format.
pub type Render = Box<dyn Fn() -> String + Send + Sync>;

/// Finds out something that may take a while: a JSON value, or a sentence that says why it is not known.
pub type Ask = Box<dyn Fn() -> Result<Value, String> + Send + Sync>;

/// What is told beside the state of the process.
pub struct Told {
    pub metrics: Render,
    /// What waits for the group of this process; `None` where nobody scales by it.
    pub backlog: Option<Ask>,
}

/// The paths that are documented; the others are what orchestrators use by habit.
const PATHS: &str = "\
/health   200, or 503 and which stage hangs (also /healthz and /livez)
/ready    200, or 503 and what is missing (also /readyz)
/metrics  Prometheus metrics
";
/// Where a backlog is told.
const BACKLOG: &str = "/backlog  what waits for the consumer group, as JSON, or 503 and why that is not known\n";

/// What the handlers share.
struct Shared {
    health: Arc<Health>,
    told: Told,
}

pub(super) fn router(health: Arc<Health>, told: Told) -> Router {
    let router = Router::new();
    let router = if told.backlog.is_some() { router.route("/backlog", get(answer_backlog)) } else { router };
    router
        .route("/", get(answer_index))
        .route("/health", get(answer_health))
        .route("/healthz", get(answer_health))
        .route("/livez", get(answer_health))
        .route("/ready", get(answer_ready))
        .route("/readyz", get(answer_ready))
        .route("/metrics", get(answer_metrics))
        .fallback(answer_unknown)
        .method_not_allowed_fallback(answer_method)
        .with_state(Arc::new(Shared { health, told }))
}

/// Members of a JSON object, in this order.
struct Members(Vec<(&'static str, Value)>);

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

async fn answer_index(State(shared): State<Arc<Shared>>) -> String {
    let health = &shared.health;
    let (command, version) = (health.program().command, env!("CARGO_PKG_VERSION"));
    let uptime = health.uptime(Instant::now()).as_secs();
    let alive = health.stalls().first().map_or_else(|| "alive".to_owned(), ToString::to_string);
    let ready = health.ready().err().map_or_else(|| "ready".to_owned(), |why| format!("not ready: {why}"));
    let backlog = if shared.told.backlog.is_some() { BACKLOG } else { "" };
    format!("labelstream {version} {command}, up for {uptime} s: {alive}; {ready}\n\n{PATHS}{backlog}")
}

async fn answer_health(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Members>) {
    let now = Instant::now();
    let health = &shared.health;
    health.look(now);
    let stalls = health.stalls();
    let (code, status) =
        if stalls.is_empty() { (StatusCode::OK, "alive") } else { (StatusCode::SERVICE_UNAVAILABLE, "stalled") };
    let mut members = vec![("status", json!(status))];
    if !stalls.is_empty() {
        members.push(("stalled", stalls.iter().map(stall).collect()));
    }
    members.extend([
        ("command", json!(health.program().command)),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("uptime_seconds", json!(health.uptime(now).as_secs())),
    ]);
    members.extend(health.facts().members);
    let since_last = health.since_last_commit(now).map(|age| age.as_secs());
    members.push((health.program().since_last_commit, json!(since_last)));
    (code, Json(Members(members)))
}

/// What hangs, without any text.
fn stall(stall: &Stall) -> Value {
    let Stall { stage, work, since, seconds } = stall;
    json!({
        "stage": stage,
        "task": work.task,
        "since": since.to_string(),
        "seconds": seconds,
        "records": work.records,
        "first_record": work.first.as_ref().map(ToString::to_string),
    })
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

async fn answer_ready(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Ready>) {
    match shared.health.ready() {
        Ok(()) => (StatusCode::OK, Json(Ready { ready: true, reason: None })),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, Json(Ready { ready: false, reason: Some(why) })),
    }
}

async fn answer_metrics(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (shared.told.metrics)()).into_response()
}

#[derive(Serialize)]
struct Refused {
    error: String,
}

/// Asks on a thread that may wait, so that probes are answered meanwhile.
async fn answer_backlog(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, (StatusCode, Json<Refused>)> {
    let ask = move || shared.told.backlog.as_ref().map_or_else(|| Ok(Value::Null), |ask| ask());
    let asked = tokio::task::spawn_blocking(ask).await;
    let found = asked.unwrap_or_else(|panic| Err(panic.to_string()));
    found.map(Json).map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, Json(Refused { error })))
}

async fn answer_unknown(State(shared): State<Arc<Shared>>, uri: Uri) -> (StatusCode, Json<Refused>) {
    let (path, backlog) = (uri.path(), if shared.told.backlog.is_some() { ", /backlog" } else { "" });
    let error = format!(
        "not found: {path}; available are /, /health (/healthz, /livez), /ready (/readyz){backlog} and /metrics"
    );
    (StatusCode::NOT_FOUND, Json(Refused { error }))
}

async fn answer_method(uri: Uri) -> (StatusCode, Json<Refused>) {
    (StatusCode::METHOD_NOT_ALLOWED, Json(Refused { error: format!("only GET at {}", uri.path()) }))
}
