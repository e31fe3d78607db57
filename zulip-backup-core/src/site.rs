//! What one Zulip server is.
