//! The handle on a running broker.
//!
//! The broker runs on threads of its own, so a test may block its thread (or its whole runtime) on a client without
//! stopping the broker that the client talks to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use kafka_protocol::messages::ApiKey;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::StartError;
use crate::fault::Fault;
use crate::rights::Denial;
use crate::server;
use crate::state::{Shared, Wait};

/// Threads that serve connections: one can copy records while another holds a client's small request.
const WORKER_THREADS: usize = 2;

/// A running broker; dropping it stops it and forgets what it held.
pub struct Broker {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Broker {
    /// Starts a broker. It accepts connections when this returns.
    ///
    /// # Errors
    /// The address cannot be had or may not be used; a topic of the configuration cannot be created.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        // Binding takes microseconds, so there is nothing to await yet; async leaves room for a start that takes longer.
        std::future::ready(Self::start_blocking(config)).await
    }

    /// [`Broker::start`] for callers without a runtime.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub fn start_blocking(config: Config) -> Result<Self, StartError> {
        if !config.allow_non_loopback && !config.listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(config.listen));
        }
        let failed = |source| StartError::Listen { address: config.listen, source };
        let listener = std::net::TcpListener::bind(config.listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .thread_name("devbroker")
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener).map_err(failed)?
        };
        let shared = Shared::new(config, address)
            .map_err(|(topic, error)| StartError::Topic { topic, reason: error.message })?;
        let shared = Arc::new(shared);
        let stop = CancellationToken::new();
        let serving = server::serve(listener, Arc::clone(&shared), stop.clone());
        let thread = std::thread::Builder::new()
            .name("devbroker-main".to_owned())
            .spawn(move || runtime.block_on(serving))
            .map_err(StartError::Runtime)?;
        tracing::warn!(
            %address,
            "devbroker is running: a Kafka broker for demos and tests, in memory only, without authentication. not for production"
        );
        Ok(Self { address, shared, stop, thread: Some(thread) })
    }

    /// Where it listens; in text form it is what `bootstrap.servers` wants.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the broker: the port is free and every connection closed when this returns (in milliseconds).
    pub fn shutdown(self) {
        drop(self);
    }

    /// Orders a fault.
    pub fn inject(&self, fault: Fault) {
        self.shared.with(|state, _| state.faults.add(fault));
    }

    /// Takes back every fault that has not happened yet.
    pub fn clear_faults(&self) {
        self.shared.with(|state, _| state.faults.clear());
        self.shared.wake(Wait::Faults);
    }

    /// Lets every request go on that [`FaultKind::Hold`](crate::FaultKind::Hold) holds, or was going to hold.
    pub fn release(&self) {
        self.shared.with(|state, _| state.faults.release());
        self.shared.wake(Wait::Faults);
    }

    /// Takes a right away, from now on.
    pub fn deny(&self, denial: Denial) {
        self.shared.with(|state, _| state.rights.deny(denial));
    }

    /// How many faults have not happened yet.
    #[must_use]
    pub fn pending_faults(&self) -> usize {
        self.shared.with(|state, _| state.faults.len())
    }

    /// How many requests of this kind have come in so far.
    #[must_use]
    pub fn calls(&self, api: ApiKey) -> u64 {
        self.shared.with(|state, _| state.calls.get(&(api as i16)).copied().unwrap_or(0))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("devbroker's main thread panicked");
        }
    }
}
