//! HTTP: routes, sign-in, problems, live events, OpenAPI, and the web app's files.
//!
//! The only crate that knows HTTP and JSON requests. It computes nothing: numbers come from `metrics`, rights
//! from `crm::access`, and every change goes through `Store::commit`.

mod app;
mod asking;
mod assets;
mod bulk;
mod changes;
mod compress;
mod events;
mod export;
mod extract;
mod files;
mod free;
mod guard;
mod imports;
mod limits;
pub mod log;
mod metrics;
mod oidc;
mod openapi;
mod outflow;
mod own;
mod password;
mod past;
mod people;
mod place;
mod problem;
mod proof;
mod ready;
mod records;
mod search;
mod serving;
mod session;
mod telemetry;
mod turns;
mod usage;

pub use limits::Limits;
pub use oidc::Config as Oidc;
pub use openapi::openapi;

use app::App;
use northing_crm::Env;
use northing_store::Store;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Where a thread that gives way is put aside, it must not hold what others need for their own memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// Where browsers reach it when a proxy with TLS is in front.
    pub public_url: Option<String>,
    /// Where people may sign in with an account that they have elsewhere.
    pub oidc: Option<Oidc>,
    /// The proxies with TLS that requests come through; without names it is this machine, once there is a public address.
    pub proxies: Vec<IpAddr>,
    /// How often it is written who used what, in the records; never, without it.
    pub usage: Option<Duration>,
    pub limits: Limits,
    /// Bytes that may be used beside the facts of the present.
    pub memory: usize,
}

impl Config {
    /// On this machine alone, with nothing more.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, public_url: None, oidc: None, proxies: Vec::new(), usage: None, limits: Limits::default(), memory: 1 << 30 }
    }

    /// Those whose word counts on where a request comes from.
    fn believed(&self) -> Vec<IpAddr> {
        let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        if self.public_url.is_none() {
            Vec::new()
        } else if self.proxies.is_empty() {
            here.into()
        } else {
            self.proxies.clone()
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("will not listen on {0}: beyond this machine it needs a proxy with TLS in front; name that with --proxy ADDRESS, and how browsers reach it with --public-url https://…")]
    Exposed(SocketAddr),
    #[error("--public-url: '{0}' must be an https:// address")]
    PublicUrl(String),
    #[error("signing in with another account: {0}")]
    Provider(String),
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    #[error(transparent)]
    Facts(#[from] northing_facts::FactsError),
    #[error(transparent)]
    Store(#[from] northing_store::StoreError),
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Model(#[from] northing_model::ModelError),
}

/// Serves until SIGTERM or Ctrl-C, then finishes what is under way.
pub async fn serve(store: Store, env: Env, config: Config) -> Result<(), ServeError> {
    let loopback = config.listen.ip().is_loopback();
    if let Some(url) = config.public_url.as_ref().filter(|url| !url.starts_with("https://")) {
        return Err(ServeError::PublicUrl(url.clone()));
    }
    if !loopback && (config.public_url.is_none() || config.proxies.is_empty()) {
        return Err(ServeError::Exposed(config.listen));
    }
    let listener = tokio::net::TcpListener::bind(config.listen).await.map_err(|e| ServeError::Listen(config.listen, e))?;
    let address = listener.local_addr()?;
    store.try_models_with(Arc::new(northing_metrics::try_model));
    let memory = northing_metrics::Memory::new(config.memory);
    let whole = place::Place::open(&store, None, &memory)?;
    let app = Arc::new(App::new(store.clone(), whole.clone(), memory, env, &config, address)?);
    imports::clear(store.folder());
    files::clear(store.folder());
    store.keep_reserve(config.limits.reserve);
    let ready = whole.feed.now();
    // Beside the first requests; whoever comes before it is done does a part of it.
    std::thread::Builder::new().name("prepare".into()).spawn(move || northing_facts::search::prepare(&ready))?;
    println!("Northing listens on {}", app.origin);
    if store.has_ways_in()? {
        println!("For a link that signs the owner in once: northing link");
    } else {
        let token = session::random_token().map_err(ServeError::Random)?;
        store.add_sign_in(&token, northing_crm::access::OWNER, app.env.now(), session::LINK_SECONDS)?;
        println!("Sign in once with this link (good for {} minutes):\n\n    {}/sign-in#{token}\n", session::LINK_SECONDS / 60, app.origin);
    }
    if let Some(every) = config.usage {
        usage::start(&app, every)?;
    }
    tracing::info!(address = %address, seq = store.seq(), version = env!("CARGO_PKG_VERSION"), "serving");
    let router = app::router(app.clone());
    let notice = config.limits.notice;
    serving::serve(listener, router, app.clone(), stop(notice)).await;
    usage::write(&app);
    whole.feed.stop();
    store.close();
    tracing::info!(seq = store.seq(), "ended");
    Ok(())
}

/// A link that signs the owner in once, under the address that browsers know; earlier ones end.
pub fn link(store: &Store, env: &Env, origin: &str) -> Result<String, ServeError> {
    let token = session::random_token().map_err(ServeError::Random)?;
    store.only_sign_in(&token, northing_crm::access::OWNER, env.now(), session::LINK_SECONDS)?;
    Ok(format!("{}/sign-in#{token}", origin.trim_end_matches('/')))
}

/// Until it should end; how long it still takes new requests then. Whoever sits before it does not want to wait.
async fn stop(notice: Duration) -> Duration {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! { _ = interrupt => Duration::ZERO, _ = terminate.recv() => notice }
        }
        Err(_) => {
            let _ = interrupt.await;
            Duration::ZERO
        }
    }
}
