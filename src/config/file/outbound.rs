//! `auth` and `headersHelper` of an entry as users write them, for the JSON Schema.
//!
//! `check/outbound.rs` is what reads them.

use crate::config::file::oauth::OAuthLogin;
use indexmap::IndexMap;
use schemars::JsonSchema;

/// With what the gateway shows who asks, or how somebody logs in.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum AuthOrLogin {
    /// A credential.
    Auth(Box<Auth>),
    /// A login.
    Login(Box<OAuthLogin>),
    /// `false` offers no login.
    Flag(bool),
}

/// With what the gateway shows who asks.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Auth {
    /// What kind of credential it is.
    #[schemars(rename = "type")]
    pub kind: AuthKind,
    /// Whose credential is shown. Default `"gateway"`.
    pub identity: Option<IdentityName>,
    /// With `"identity": "caller"`: the credentials of callers, by name or principal. Who has none is refused.
    pub callers: Option<IndexMap<String, OfCaller>>,
    /// `bearer`: the token.
    pub token: Option<String>,
    /// `apiKey`: the header it goes into. Default `X-Api-Key`.
    pub header: Option<String>,
    /// `apiKey`: what stands before the key in the header.
    pub prefix: Option<String>,
    /// `apiKey`: the key.
    pub key: Option<String>,
    /// `basic`: the user.
    pub user: Option<String>,
    /// `basic`: the password.
    pub password: Option<String>,
    /// `oauth2`: the token endpoint.
    pub token_url: Option<String>,
    /// `oauth2`: who the gateway is there.
    pub client_id: Option<String>,
    /// `oauth2`: its secret.
    pub client_secret: Option<String>,
    /// `oauth2`: where the secret goes: into the `Authorization` header or the body. Default `"basic"`.
    pub client_auth: Option<ClientAuth>,
    /// `oauth2`: a private key (PEM), or the name of its file, instead of a secret.
    pub private_key: Option<String>,
    /// `oauth2`: how that key signs, for example `ES256`. Follows from the key unless given.
    pub algorithm: Option<String>,
    /// `oauth2`: the name of that key.
    pub key_id: Option<String>,
    /// `oauth2`: what is asked for.
    pub scopes: Option<Vec<String>>,
    /// `oauth2`: the resource that the token is for.
    pub resource: Option<String>,
    /// `oauth2`: the same, as some authorization servers want it.
    pub audience: Option<String>,
    /// `headersHelper`: the program and its arguments; there is no shell.
    pub command: Option<CommandText>,
    /// `headersHelper`: how long its headers are good. By default until the connection ends or they are refused.
    pub ttl: Option<String>,
    /// `headersHelper`: longest time for it. Default `"10s"`.
    pub timeout: Option<String>,
}

/// The kinds of credentials.
#[derive(JsonSchema)]
pub enum AuthKind {
    /// A token in `Authorization: Bearer`.
    #[schemars(rename = "bearer")]
    Bearer,
    /// A key in a header.
    #[schemars(rename = "apiKey")]
    ApiKey,
    /// A user and a password.
    #[schemars(rename = "basic")]
    Basic,
    /// OAuth 2 client credentials.
    #[schemars(rename = "oauth2")]
    OAuth2,
    /// A command that prints headers.
    #[schemars(rename = "headersHelper")]
    HeadersHelper,
}

/// Whose credential is shown.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum IdentityName {
    /// The gateway's.
    Gateway,
    /// That of whoever calls.
    Caller,
}

/// Where the secret of a client goes.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum ClientAuth {
    /// Into the `Authorization` header.
    Basic,
    /// Into the body.
    Post,
}

/// The credential of one caller, of the kind that `type` says.
#[derive(JsonSchema)]
pub struct OfCaller {
    /// `bearer`
    pub token: Option<String>,
    /// `apiKey`
    pub key: Option<String>,
    /// `basic`
    pub user: Option<String>,
    /// `basic`
    pub password: Option<String>,
}

/// One text, split as a shell would, or a list of words.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum CommandText {
    /// One text.
    Text(String),
    /// Words.
    Words(Vec<String>),
}
