//! From the name of a host to its addresses.
//!
//! It judges none of them.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use tokio::net::lookup_host;

/// Addresses that are on their way.
pub type Found<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Knows the addresses of hosts.
pub trait Resolve: Send + Sync {
    /// All addresses of `host`.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Found<'a>;
}

/// What the operating system knows.
#[derive(Debug)]
pub struct System;

impl Resolve for System {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Found<'a> {
        Box::pin(async move { Ok(lookup_host((host, port)).await?.map(|address| address.ip()).collect()) })
    }
}
