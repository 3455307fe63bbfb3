//! Carries the requests of rmcp's OAuth client over our guarded way out.
//!
//! It follows no redirect, whatever rmcp asks for: discovery follows those within an origin itself, and nothing else
//! may be led elsewhere.

use crate::auth::egress::Egress;
use bytes::Bytes;
use rmcp::transport::auth::OAuthHttpClient;
use rmcp::transport::auth::OAuthHttpClientError;
use rmcp::transport::auth::OAuthHttpClientFuture;
use rmcp::transport::auth::OAuthHttpRequest;
use std::sync::Arc;

/// rmcp's way out.
pub struct Courier(pub Arc<Egress>);

impl OAuthHttpClient for Courier {
    fn execute(&self, asked: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        Box::pin(async move {
            let answer = self.0.send(asked.request.map(Bytes::from)).await;
            answer
                .map(|answer| answer.map(Vec::from))
                .map_err(|error| Box::new(error) as OAuthHttpClientError)
        })
    }
}
