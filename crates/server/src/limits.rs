//! How much of the server one may take up, and for how long. Only numbers; what they bound is in `serving` and `files`.

use std::time::Duration;

/// With defaults for a business of some hundred people.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time; as many as the process may open, less a reserve, where they are fewer.
    pub connections: usize,
    /// Until a request's header is there, and how long a connection may wait for its next request.
    pub header: Duration,
    /// Until a request's body is there, and for each `body_bytes` of it as long again.
    pub body: Duration,
    pub body_bytes: u64,
    /// How long somebody may take nothing of what is sent to them.
    pub stalled: Duration,
    /// Live event streams of one person.
    pub streams: usize,
    /// At the end: how long requests are still accepted while `/readyz` says no already, and how long all may take.
    pub notice: Duration,
    pub end: Duration,
    /// Bytes of files of records that are kept; without it what the disk holds.
    pub files: Option<u64>,
    /// Bytes kept aside on the disk for when it is full.
    pub reserve: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            header: Duration::from_secs(20),
            body: Duration::from_secs(20),
            body_bytes: 512 << 10,
            stalled: Duration::from_secs(30),
            streams: 64,
            notice: Duration::from_secs(2),
            end: Duration::from_secs(10),
            files: None,
            reserve: 16 << 20,
        }
    }
}

/// Descriptors that are not for connections: the database and its readers, files, the log.
const OTHERS: usize = 96;

impl Limits {
    /// Connections that there may be, as the process stands.
    pub fn most_connections(&self) -> usize {
        let open = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
        self.connections.min(open.saturating_sub(OTHERS)).max(8)
    }
}
