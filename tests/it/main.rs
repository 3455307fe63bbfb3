//! The black-box tests: the real binary, real children, real sockets.

mod support;

mod call;
mod cancel;
mod crash;
mod fake;
mod input;
mod lazy;
mod list;
mod progress;
