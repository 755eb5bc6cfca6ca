//! HTTP: routes, sign-in, problems, live events, OpenAPI, and the web app's files.
//!
//! The only crate that knows HTTP and JSON requests. It computes nothing: numbers come from `metrics`, rights
//! from `crm::access`, and every change goes through `Store::commit`.

mod app;
mod assets;
mod bulk;
mod changes;
mod events;
mod export;
mod files;
mod free;
mod guard;
mod imports;
mod metrics;
mod oidc;
mod openapi;
mod outflow;
mod own;
mod password;
mod people;
mod place;
mod problem;
mod records;
mod search;
mod session;

pub use oidc::Config as Oidc;
pub use openapi::openapi;

use app::App;
use northing_crm::Env;
use northing_store::Store;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// Where browsers reach it when a proxy with TLS is in front.
    pub public_url: Option<String>,
    /// Where people may sign in with an account that they have elsewhere.
    pub oidc: Option<Oidc>,
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("will not listen on {0}: beyond this machine it needs a TLS proxy in front; name its address with --public-url https://…")]
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
    if let Some(url) = &config.public_url {
        if !url.starts_with("https://") {
            return Err(ServeError::PublicUrl(url.clone()));
        }
    } else if !loopback {
        return Err(ServeError::Exposed(config.listen));
    }
    let listener = tokio::net::TcpListener::bind(config.listen).await.map_err(|e| ServeError::Listen(config.listen, e))?;
    let address = listener.local_addr()?;
    store.try_models_with(Arc::new(northing_metrics::try_model));
    let whole = place::Place::open(&store, None)?;
    let app = Arc::new(App::new(store.clone(), whole.clone(), env, &config, address)?);
    imports::clear(store.folder());
    let ready = whole.feed.now();
    // Beside the first requests; whoever comes before it is done does a part of it.
    std::thread::Builder::new().name("prepare".into()).spawn(move || northing_facts::search::prepare(&ready))?;
    let token = session::random_token().map_err(ServeError::Random)?;
    store.add_sign_in(&token, northing_crm::access::OWNER, app.env.now(), session::LINK_SECONDS)?;
    println!("Northing listens on {}", app.origin);
    println!("Sign in once with this link (good for {} minutes):\n\n    {}/sign-in#{token}\n", session::LINK_SECONDS / 60, app.origin);
    let router = app::router(app.clone());
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).with_graceful_shutdown(stop(app.clone())).await?;
    whole.feed.stop();
    store.close();
    Ok(())
}

async fn stop(app: Arc<App>) {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
        }
        Err(_) => drop(interrupt.await),
    }
    app.drain();
    // Streams end by themselves; whatever else hangs is cut off after ten seconds.
    tokio::spawn(async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        std::process::exit(0);
    });
}
