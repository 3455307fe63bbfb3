//! `gateway.auth` and `gateway.callers` as users write them, for the JSON Schema.
//!
//! `check/auth.rs` and `check/callers.rs` are what reads them.

use crate::config::file::value::TextOrList;
use schemars::JsonSchema;

/// Who may connect over HTTP. With any of these, every request needs a credential.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Auth {
    /// A file with keys, made by `mcp-manifold key create`; relative paths start in the folder of this file. Default:
    /// `keys.json` beside the `mcp.json` of the user's config folder, once it is there.
    pub keys_file: Option<String>,
    /// Keys of which only digests are known here.
    pub keys: Option<Vec<Key>>,
    /// Users with passwords, for HTTP Basic.
    pub basic: Option<Vec<Basic>>,
    /// Issuers of tokens (JWT) for this gateway.
    pub jwt: Option<Vec<Jwt>>,
    /// The address of this gateway as its clients know it, for example `"https://mcp.example.com/mcp"`: what tokens must
    /// be for. Default: the address that was asked.
    pub resource: Option<String>,
    /// Wrong credentials of one address within a minute before it has to wait. Default 60.
    pub failures_per_minute: Option<u32>,
}

/// A key of which only the digest is known here.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Key {
    /// Its name in lists. Default: the first digits of its digest.
    pub id: Option<String>,
    /// What people see in logs.
    pub name: Option<String>,
    /// `"sha256:"` and the SHA-256 of the key in 64 hexadecimal digits.
    pub hash: String,
    /// The team of its holder.
    pub team: Option<String>,
    /// The organisation of its holder.
    pub organisation: Option<String>,
    /// The agent that acts with it.
    pub agent: Option<String>,
    /// Whether requests may name the agent, with the header `X-Agent-Id`. Default `false`.
    pub may_name_agent: Option<bool>,
    /// When it ends: `"2027-01-31"` (the end of that day, UTC) or `"2027-01-31T12:00:00Z"`.
    pub expires: Option<String>,
}

/// A user with a password.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Basic {
    /// The name it logs in with.
    pub user: String,
    /// At least 12 characters, best written as `${NAME}` or `${file:path}`.
    pub password: Option<String>,
    /// Instead of the password: `"sha256:"` and its SHA-256 in 64 hexadecimal digits. Only for long random passwords.
    pub hash: Option<String>,
    /// Its team.
    pub team: Option<String>,
    /// Its organisation.
    pub organisation: Option<String>,
    /// The agent that acts.
    pub agent: Option<String>,
    /// Whether requests may name the agent, with the header `X-Agent-Id`. Default `false`.
    pub may_name_agent: Option<bool>,
}

/// Tokens of one issuer.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Jwt {
    /// What `iss` must say: an `https` address (or `http` on this machine).
    pub issuer: String,
    /// What `aud` must have. Default: `resource`.
    pub audience: Option<TextOrList>,
    /// Where its keys are. Default: where its metadata says.
    pub jwks_url: Option<String>,
    /// A file with its keys instead.
    pub jwks_file: Option<String>,
    /// Accepted algorithms, of `RS256` … `RS512`, `PS256` … `PS512`, `ES256`, `ES384`, `EdDSA`. Default: `RS256`, `ES256`,
    /// `EdDSA`.
    pub algorithms: Option<Vec<String>>,
    /// How far clocks may be apart, at most 5 minutes. Default `"30s"`.
    pub clock_skew: Option<String>,
    /// How long keys are used while they cannot be read again. Default `"6h"`.
    pub max_stale: Option<String>,
    /// Which claims say who the caller is.
    pub claims: Option<Claims>,
    /// Scopes that every token needs.
    pub required_scopes: Option<Vec<String>>,
    /// Whether requests may name the agent, with the header `X-Agent-Id`. Default `false`.
    pub may_name_agent: Option<bool>,
}

/// Names of claims. One that begins with `/` is a JSON pointer, for example `"/realm_access/roles"`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Claims {
    /// What people see in logs. Default `"sub"`.
    pub caller: Option<String>,
    /// The team.
    pub team: Option<String>,
    /// The organisation.
    pub organisation: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// Others that policies look at.
    pub keep: Option<Vec<String>>,
}

/// Who a client on stdio may be.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct NamedCaller {
    /// Its team.
    pub team: Option<String>,
    /// Its organisation.
    pub organisation: Option<String>,
    /// The agent that acts.
    pub agent: Option<String>,
    /// Whether requests may name the agent. Default `false`.
    pub may_name_agent: Option<bool>,
}
