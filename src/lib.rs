//! An MCP gateway: one MCP server to every client, every MCP server behind it.
//!
//! The modules stand in layer order; each imports only from those before it. `ARCHITECTURE.md` is the map.

pub mod name;
pub mod secret;
pub mod protocol {
    //! stub
    pub mod version;
}
pub mod config;
pub mod catalog {
    //! stub
    pub mod watch;
}
pub mod cli {
    //! stub
    pub mod demo_server;
}
