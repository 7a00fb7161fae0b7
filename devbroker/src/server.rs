//! Connections: frames in, frames out, one request of a connection at a time (as in Apache Kafka), each connection a task.
//!
//! Whatever a client does wrong ends its own connection and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Client, RawResponse};
use crate::state::Shared;

/// How often time takes effect. Well below the shortest session or transaction time-out a test would use.
const TICK: Duration = Duration::from_millis(20);
/// How often partitions are looked over for records that have grown too old.
const RETENTION_TICK: Duration = Duration::from_secs(1);
/// After a failed accept (no file descriptors left): long enough not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// First read buffer of a connection; it grows with the requests.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Serves until `stop`; every connection has ended when it returns.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    let permits = Arc::new(Semaphore::new(shared.config.limits.connections));
    let mut tick = tokio::time::interval(TICK);
    let mut retention = tokio::time::interval(RETENTION_TICK);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => shared.tick(),
            _ = retention.tick() => shared.with(|state, now| state.topics.retain(now)),
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task panicked");
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
                        tracing::warn!(%peer, "too many connections: refused one");
                        continue;
                    };
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        let _permit = permit;
                        if let Err(reason) = connection(stream, peer, &shared).await {
                            tracing::debug!(%peer, %reason, "connection closed");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    connections.shutdown().await;
}

/// Why the broker closed a connection.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("read or write failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("request of {0} bytes")]
    RequestSize(i32),
    #[error("{0}")]
    Refused(String),
    #[error("client gone while its request waited")]
    HungUp,
}

async fn connection(mut stream: TcpStream, peer: SocketAddr, shared: &Shared) -> Result<(), Closed> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(READ_BUFFER_BYTES);
    let client = Client { host: format!("/{}", peer.ip()) };
    while let Some(frame) = read_frame(&mut stream, &mut buffer, shared.config.limits.request_bytes).await? {
        // A request may wait for minutes; nobody needs its answer once the client is gone.
        let outcome = tokio::select! {
            biased; // most answers are there at once, and then the connection need not be looked at
            outcome = api::answer(shared, &client, frame) => outcome,
            () = hung_up(&stream) => return Err(Closed::HungUp),
        };
        match outcome {
            RawResponse::Answer(response) => stream.write_all(&response).await?,
            RawResponse::Silence => {}
            RawResponse::Close(reason) => return Err(Closed::Refused(reason)),
        }
    }
    Ok(())
}

/// Returns when the client has closed; never when it has sent more requests ahead.
async fn hung_up(stream: &TcpStream) {
    if let Ok(1..) = stream.peek(&mut [0]).await {
        std::future::pending::<()>().await;
    }
}

/// The next length-prefixed request; `None` when the client has closed the connection.
async fn read_frame(stream: &mut TcpStream, buffer: &mut BytesMut, bytes_max: usize) -> Result<Option<Bytes>, Closed> {
    loop {
        if let Some(prefix) = buffer.first_chunk::<4>() {
            let written = i32::from_be_bytes(*prefix);
            let length = usize::try_from(written).ok().filter(|length| *length <= bytes_max);
            let length = length.ok_or(Closed::RequestSize(written))?;
            if buffer.len() >= 4 + length {
                buffer.advance(4);
                return Ok(Some(buffer.split_to(length).freeze()));
            }
        }
        // `read_buf` grows the buffer with what arrives, never with what the prefix promises.
        buffer.reserve(READ_BUFFER_BYTES);
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}
