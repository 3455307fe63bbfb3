//! stub
use crate::gateway::Gateway;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}
pub struct HttpOptions {
    pub addr: SocketAddr,
    pub tls: Option<TlsFiles>,
    pub behind_proxy: bool,
    pub settings: crate::config::model::HttpSettings,
    pub max_body: usize,
    pub depth: usize,
    pub queue_bytes: usize,
}
pub struct Bound;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct HttpError;
impl Bound {
    pub fn local_addr(&self) -> SocketAddr {
        unimplemented!()
    }
    pub async fn run(self, _g: Arc<Gateway>, _s: CancellationToken) {}
}
pub async fn bind(_o: HttpOptions) -> Result<Bound, HttpError> {
    Err(HttpError)
}
