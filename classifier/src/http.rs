//! What operators and orchestrators ask a running process: `/health`, `/ready` and `/metrics`, on one small server.
//!
//! It has a thread and an event loop of its own, so a busy pipeline cannot delay an answer, and it goes on answering
//! while the pipeline finishes after a stop. It only reads what others count: it never touches the pipeline.

mod health;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use schemas::{Problem, Recovery};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use health::{Counts, Health, NotReady};

/// How often the counters are looked at for progress: the resolution of `last_commit_seconds_ago`.
const LOOK: Duration = Duration::from_millis(500);
/// How long answers under way may take when the server closes; a client that reads slowly cannot hold up the exit.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// `[http]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    pub enabled: bool,
    /// Address and port; port 0 takes a free one.
    pub listen: String,
}

/// The same, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    listen: Option<SocketAddr>,
}

impl HttpConfig {
    /// `None` when the server is switched off.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }
}

impl TryFrom<HttpSettings> for HttpConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: HttpSettings) -> Result<Self, Vec<Problem>> {
        let Ok(listen) = settings.listen.parse() else {
            let expected = "expected an address and a port such as 127.0.0.1:9464 or 0.0.0.0:9464";
            return Err(vec![Problem::new("http.listen", format!("{expected}, found {:?}", settings.listen))]);
        };
        Ok(Self { listen: settings.enabled.then_some(listen) })
    }
}

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("listen on {address} (http.listen; http.enabled = false switches it off)")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("start the HTTP thread")]
    Thread(#[source] io::Error),
}

impl HttpError {
    pub fn recovery(&self) -> Recovery {
        Recovery::Exit
    }
}

/// Renders every metric in the Prometheus text format.
pub type Render = Box<dyn Fn() -> String + Send + Sync>;

/// A running server; it answers until it is closed or dropped.
pub struct Server {
    address: SocketAddr,
    close: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// What the handlers share.
struct Shared {
    health: Arc<Health>,
    metrics: Render,
}

impl Server {
    /// Listens and answers from now on; `Ok(None)` when the server is switched off.
    ///
    /// # Errors
    /// When the address is taken or not of this machine: the message names the setting.
    pub fn start(config: HttpConfig, health: Arc<Health>, metrics: Render) -> Result<Option<Self>, HttpError> {
        let Some(address) = config.listen else { return Ok(None) };
        let bind = |source| HttpError::Bind { address, source };
        let listener = TcpListener::bind(address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(HttpError::Thread)?;
        let close = CancellationToken::new();
        let closed = close.clone();
        let serve = move || {
            if let Err(error) = runtime.block_on(serve(listener, Shared { health, metrics }, closed)) {
                tracing::error!(%error, "the HTTP server ended");
            }
        };
        let thread = thread::Builder::new().name("http".to_owned()).spawn(serve).map_err(HttpError::Thread)?;
        tracing::info!(%address, "answers /health, /ready and /metrics");
        Ok(Some(Self { address, close, thread: Some(thread) }))
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    /// Finishes the answers under way, within a second.
    fn drop(&mut self) {
        self.close.cancel();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the HTTP thread panicked");
        }
    }
}

async fn serve(listener: TcpListener, shared: Shared, close: CancellationToken) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let health = Arc::clone(&shared.health);
    let router = Router::new()
        .route("/health", get(answer_health))
        .route("/ready", get(answer_ready))
        .route("/metrics", get(answer_metrics))
        .fallback(answer_unknown)
        .method_not_allowed_fallback(answer_method)
        .with_state(Arc::new(shared));
    let server = axum::serve(listener, router).with_graceful_shutdown(close.clone().cancelled_owned());
    tokio::select! {
        result = server => result,
        () = watch(&health) => Ok(()),
        () = async { close.cancelled().await; tokio::time::sleep(CLOSE_WAIT).await } => Ok(()),
    }
}

/// Notes progress for as long as the server runs.
async fn watch(health: &Health) {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        health.look(Instant::now());
    }
}

#[derive(Serialize)]
struct Alive {
    status: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    labeled: u64,
    dead_letters: u64,
    rewinds: u64,
    /// `null` until the first commit.
    last_commit_seconds_ago: Option<u64>,
}

async fn answer_health(State(shared): State<Arc<Shared>>) -> Json<Alive> {
    let now = Instant::now();
    shared.health.look(now);
    let counts = shared.health.counts();
    Json(Alive {
        status: "alive",
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: shared.health.uptime(now).as_secs(),
        labeled: counts.labeled,
        dead_letters: counts.dead_letters,
        rewinds: counts.rewinds,
        last_commit_seconds_ago: shared.health.since_last_commit(now).map(|age| age.as_secs()),
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
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, Json(Ready { ready: false, reason: Some(why.reason()) })),
    }
}

async fn answer_metrics(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (shared.metrics)()).into_response()
}

#[derive(Serialize)]
struct Refused {
    error: String,
}

async fn answer_unknown(uri: Uri) -> (StatusCode, Json<Refused>) {
    let error = format!("nothing at {}; there are /health, /ready and /metrics", uri.path());
    (StatusCode::NOT_FOUND, Json(Refused { error }))
}

async fn answer_method(uri: Uri) -> (StatusCode, Json<Refused>) {
    (StatusCode::METHOD_NOT_ALLOWED, Json(Refused { error: format!("only GET at {}", uri.path()) }))
}

#[cfg(test)]
mod tests;
