//! Connections: how many at once, and how long each may take.
//!
//! A connection brings one request and is closed after its answer, within one time-out for all of it: whoever sends half
//! a request, or nothing, or reads no answer, cannot keep it. One connection too many closes the oldest, which has long
//! been answered if it meant well: so a probe gets its answer while others hold connections open, and Kafka always has
//! file descriptors left.
//!
//! By hand, around hyper's connections: its own time-out for headers would bound the head of a request, and neither its
//! body nor a client that does not read the answer.

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::health::Health;

/// How often the counters are looked at for progress: the resolution of `last_commit_seconds_ago`.
const LOOK: Duration = Duration::from_millis(500);
/// How long answers under way may take when the server closes; a client that reads slowly cannot hold up the exit.
pub(super) const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// The wait after a connection that could not be taken, as when the process has no file descriptor left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections_max: NonZeroUsize,
    /// From a connection to the end of its answer.
    pub(super) request_wait: Duration,
}

/// Answers until `close`, then finishes what is under way.
pub(super) async fn serve(
    listener: TcpListener,
    pages: Router,
    limits: Limits,
    health: &Health,
    close: &CancellationToken,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    let mut looks = tokio::time::interval(LOOK);
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = close.cancelled() => break,
            _ = looks.tick() => health.look(Instant::now()),
            Some(_) = connections.join_next() => {} // its own end, or ours; a panic of a page is in the log
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    is_failing = false;
                    oldest_first.retain(|connection| !connection.is_finished());
                    while oldest_first.len() >= limits.connections_max.get()
                        && let Some(oldest) = oldest_first.pop_front()
                    {
                        oldest.abort();
                    }
                    let answer = answer(stream, pages.clone(), limits.request_wait, close.clone());
                    oldest_first.push_back(connections.spawn(answer));
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(%error, "the HTTP server cannot accept a connection");
                    }
                    sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    timeout(CLOSE_WAIT, finish).await.ok(); // what is left is dropped
    Ok(())
}

/// Answers one request. What goes wrong is the client's affair.
async fn answer(stream: TcpStream, pages: Router, wait: Duration, close: CancellationToken) {
    let service = TowerToHyperService::new(pages);
    let mut connection = pin!(http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service));
    let answered = async {
        tokio::select! {
            answered = connection.as_mut() => return answered,
            () = close.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    match timeout(wait, answered).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "HTTP connection failed"),
        Err(_) => tracing::debug!("HTTP connection closed: no request in time"),
    }
}
