//! `picket run`: watches sandboxes that others start.

mod handle;

pub use handle::{
    Follower, Gone, Handle, Reloaded, Request, RequestError, SandboxStatus, State, Status,
};
