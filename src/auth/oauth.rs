//! Logins at servers that want OAuth: the authorization code flow with PKCE, and the tokens it leaves.
//!
//! A login is made by a person (`mcp-manifold auth login`, or a page that a gateway offers its client) and used by every
//! gateway of that user. Nobody logs in *here*: this is no authorization server and has no route of one.

pub mod attempt;
pub mod bearer;
pub mod browser;
pub mod callback;
pub mod courier;
pub mod demand;
pub mod discovery;
pub mod endpoint;
pub mod error;
pub mod flow;
pub mod folder;
mod knock;
pub mod login;
pub mod logins;
pub mod offer;
pub mod offers;
pub mod refresh;
mod turn;
pub mod visit;
