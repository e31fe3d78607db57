//! The sample Zulip server.
