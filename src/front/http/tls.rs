//! TLS of the front: PEM files → an acceptor.
//!
//! It installs no process-wide crypto provider, asks clients for no certificate, and does not follow changes of the
//! files.

use crate::front::http::options::HttpError;
use crate::front::http::options::TlsFiles;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Reads the files.
///
/// # Errors
/// [`HttpError::Pem`] for a file that cannot be read or holds nothing of its kind; [`HttpError::Tls`] when the key does
/// not fit.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, HttpError> {
    let chain = CertificateDer::pem_file_iter(&files.cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|why| unusable(&files.cert, why))?;
    if chain.is_empty() {
        return Err(unusable(&files.cert, "it holds no certificate (PEM, `BEGIN CERTIFICATE`)"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|why| unusable(&files.key, why))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unusable(path: &Path, why: impl std::fmt::Display) -> HttpError {
    HttpError::Pem { path: path.to_owned(), why: why.to_string() }
}
