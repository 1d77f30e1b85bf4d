//! Serves `/metrics` on its own listener, loopback unless told otherwise.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use super::{Health, Metrics};

/// The endpoint could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be served on {address}: {source}")]
pub struct ServeError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// Binds and serves in the background; answers the address that was really bound.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(address: SocketAddr, metrics: Arc<Metrics>) -> Result<SocketAddr, ServeError> {
    listen(address, Router::new().route("/metrics", get(scrape)).with_state(metrics)).await
}

/// As [`serve`], for a daemon: `/metrics` while there are true ones, `/livez`, `/readyz`.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve_health(
    address: SocketAddr,
    health: Arc<Health>,
) -> Result<SocketAddr, ServeError> {
    let router = Router::new()
        .route("/metrics", get(scrape_when_ready))
        .route(
            "/livez",
            get(|State(health): State<Arc<Health>>| async move { answer(health.lives()) }),
        )
        .route(
            "/readyz",
            get(|State(health): State<Arc<Health>>| async move { answer(health.ready()) }),
        )
        .with_state(health);
    listen(address, router).await
}

async fn listen(address: SocketAddr, router: Router) -> Result<SocketAddr, ServeError> {
    let failed = |source| ServeError { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the metrics endpoint ended");
        }
    });
    Ok(bound)
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Response {
    text(&metrics)
}

async fn scrape_when_ready(State(health): State<Arc<Health>>) -> Response {
    health.metrics().map_or_else(|why| answer(Err(why)), |metrics| text(metrics))
}

fn text(metrics: &Metrics) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.text())
        .into_response()
}

fn answer(state: Result<(), &'static str>) -> Response {
    match state {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
