//! The black-box tests: the real binary, real children, real sockets.

mod support;

mod apps;
mod ask;
mod batch;
mod cache;
mod call;
mod cancel;
mod cli;
mod config;
mod crash;
mod docs;
mod fake;
mod fallback;
mod fidelity;
mod held;
mod http;
mod http_resume;
mod input;
mod layering;
mod lazy;
mod limits;
mod list;
mod matrix;
mod param_headers;
mod progress;
mod reload;
mod renewal;
mod rounds;
mod sharing;
mod shutdown;
mod sse_behind;
mod subscribe;
mod tasks;
mod updates;
mod ws_behind;
