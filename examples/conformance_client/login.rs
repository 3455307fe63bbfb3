//! Somebody who logs in where the suite's server wants it, in the way of `mcp-manifold auth login`; the suite's
//! authorization servers agree at once.

use anyhow::Context as _;
use mcp_manifold::auth::oauth::attempt::Attempt;
use mcp_manifold::auth::oauth::attempt::Wanted;
use mcp_manifold::auth::oauth::folder::Folder;
use mcp_manifold::config::model::Config;
use mcp_manifold::config::model::Server;
use mcp_manifold::downstream::http::client::HttpClient;
use serde_json::Value;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// The file that the logins belong to.
pub const FILE: &str = "suite.json";

/// Somebody who logs in.
pub struct Person {
    server: Arc<Server>,
    config: Config,
    folder: Folder,
}

impl Person {
    /// For the only server of `config`; logins are kept in the state folder `dir`.
    pub fn new(config: &Config, dir: &Path) -> anyhow::Result<Self> {
        let server = config.servers.values().next().context("there is a server")?;
        Ok(Self { server: Arc::clone(server), config: config.clone(), folder: Folder::within(dir) })
    }

    /// Logs in, with the scopes that the command in `text` names.
    pub async fn log_in(&self, text: &str) -> anyhow::Result<()> {
        let scopes = text.split_once("--scope \"").and_then(|(_, rest)| rest.split_once('"'));
        let scopes =
            scopes.map(|(scopes, _)| scopes.split(' ').map(str::to_owned).collect()).unwrap_or_default();
        let wanted = Wanted { scopes, port: None, whose: None, cookie: None };
        let egress = &self.config.settings.egress;
        let folder = self.folder.clone();
        let attempt = Attempt::start(&self.server, egress, wanted, folder, FILE.as_ref()).await?;
        let address = attempt.address().clone();
        let answer = HttpClient::new()?.towards(&address).get(address).send().await?;
        let location =
            answer.headers().get("location").context("the browser is sent back")?.to_str()?.parse()?;
        attempt.keep(&location).await?;
        Ok(())
    }
}

/// The `auth` of the entry, where the suite hands out a client.
pub async fn auth(url: &str, told: &Value) -> anyhow::Result<Value> {
    let mut auth = json!({ "type": "oauth" });
    auth["clientMetadataUrl"] = json!("https://conformance-test.local/client-metadata.json");
    if let Some(id) = told["client_id"].as_str() {
        auth["clientId"] = json!(id);
    }
    if let Some(secret) = told["client_secret"].as_str() {
        // Who registered a client knows where: the secret is for that authorization server only.
        let server: reqwest::Url = url.parse()?;
        let path = format!("/.well-known/oauth-protected-resource{}", server.path().trim_end_matches('/'));
        let document = server.join(&path)?;
        let document = HttpClient::new()?.towards(&document).get(document).send().await?.bytes().await?;
        let document: Value = serde_json::from_slice(&document)?;
        auth["clientSecret"] = json!(secret);
        auth["issuer"] = document["authorization_servers"][0].clone();
    }
    Ok(auth)
}
